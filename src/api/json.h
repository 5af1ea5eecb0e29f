// JSON at the border of the API: request bodies in (within limits), answers and server-sent events out.
// Thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/limits.h"
#include "base/result.h"

namespace tessera::api {

// Members keep their order: answers as people expect them, and chat templates print a tool call's arguments
// as sent.
using Json = nlohmann::ordered_json;

/// The body as a JSON object; every failure is kInvalidArgument (400).
Result<Json> parse_body(std::string_view body, const Limits& limits);

/// `text` within the limits; `name` opens the message of a failure, which is kInvalidArgument.
Result<Json> parse_value(std::string_view text, std::string_view name, const Limits& limits);

/// One line of text. Strings that are not UTF-8 get replacement characters: an answer never fails for that.
std::string dump(const Json& value);

/// "data: VALUE\n\n", and what ends a stream.
std::string event(const Json& value);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

}  // namespace tessera::api
