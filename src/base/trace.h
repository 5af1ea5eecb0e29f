// Traces: decisions printed to stderr, asked for by TESSERA_TRACE=topic[,topic]. Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace tessera {

enum class TraceTopic : uint8_t {
  kDispatch,  // "dispatch": per linear at load, the kernel chosen and why each better one is not
};

/// Whether TESSERA_TRACE names `topic`; kInvalidArgument when it names what is none.
Result<bool> trace_enabled(TraceTopic topic);

/// "dispatch: TEXT" as one line on stderr.
void trace_line(TraceTopic topic, std::string_view text);

}  // namespace tessera
