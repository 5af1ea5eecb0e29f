#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <string>

namespace tessera {

Status set_log_level(std::string_view name) {
  const std::string level(name == "warn" ? "warning" : name);
  const auto parsed = spdlog::level::from_str(level);
  // from_str answers `off` for every unknown name.
  if (parsed == spdlog::level::off && level != "off") {
    return invalid_argument(
        "log level \"{}\" is unknown, expected trace, debug, info, warning, error, critical or off", name);
  }
  spdlog::set_level(parsed);
  return {};
}

void init_logging() {
  auto logger = spdlog::stderr_color_mt("tessera");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
  if (const char* level = std::getenv("TESSERA_LOG")) {
    if (auto status = set_log_level(level); !status) LOG_WARN("TESSERA_LOG: {}", status.error().message());
  }
}

}  // namespace tessera
