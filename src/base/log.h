// Logging: fmt-style, levelled, to stderr. Layers below engine return errors instead of printing; the loader
// may log one line per decision (for example: which weights stay row-major, and why).
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "base/result.h"

namespace tessera {

/// Sets the level by SGLang's and spdlog's names: trace, debug, info, warning|warn, error, critical, off.
Status set_log_level(std::string_view name);

/// Puts logs on stderr with time and level, and reads TESSERA_LOG for the level. Called once, by main().
void init_logging();

}  // namespace tessera

#define LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)
