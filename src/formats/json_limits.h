// parse_json: JSON from outside (headers, configs, tokenizers, request bodies) into nlohmann::json, within
// limits. Never throws. Rejects what RFC 8259 leaves to the parser and attackers use: duplicate keys, deep
// nesting, huge documents, bytes that are not UTF-8, anything after the value. dump_json is the way back.
// Thread-safe.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::formats {

struct JsonLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_depth = 64;  // nested arrays and objects
  /// Each costs 16 to 100 bytes of memory, so `[[[],[],...` is a bomb of 8 bytes per byte sent.
  size_t max_values = 8'000'000;
};

/// `name` (a file name, "request body") opens every message. kResourceExhausted over a limit, else
/// kDataCorrupt.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view name,
                                  const JsonLimits& limits = {});

/// Text of `value`, indented by `indent` spaces (-1: one line). kDataCorrupt when a string in it is not
/// UTF-8.
Result<std::string> dump_json(const nlohmann::json& value, std::string_view name, int indent = 2);
Result<std::string> dump_json(const nlohmann::ordered_json& value, std::string_view name, int indent = 2);

}  // namespace tessera::formats
