// JSON at the border of the API: request bodies in (within limits), answers and server-sent events out.
// Thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::api {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // answers keep the field order that people expect

inline constexpr size_t kMaxBodyBytes = size_t{16} << 20;
inline constexpr size_t kMaxJsonDepth = 64;

/// The body as a JSON object; every failure is kInvalidArgument (400).
Result<Json> parse_body(std::string_view body);

/// One line of text. Strings that are not UTF-8 get replacement characters: an answer never fails for that.
std::string dump(const OrderedJson& value);

/// "data: VALUE\n\n", and what ends a stream.
std::string event(const OrderedJson& value);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

}  // namespace tessera::api
