// The header of a safetensors file: 8 bytes of length, then JSON. Pure functions over bytes, so that a fuzzer
// reaches every rule without files. The rules are numbered as in docs/file-safety.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/tensor_source.h"

namespace tessera::formats {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference library's limit
inline constexpr size_t kMaxTensors = 500'000;            // the largest published models have 210,000
inline constexpr size_t kMaxTensorNameBytes = 1024;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // sorted by offset; offset counts from the start of the file; shard is 0
  std::map<std::string, std::string> metadata;
};

/// Rule 1: the JSON's length from the first 8 bytes of a file of `file_bytes`. `name` opens every message.
Result<uint64_t> parse_header_length(std::string_view first_bytes, uint64_t file_bytes,
                                     std::string_view name);

/// Rules 2 to 7, for the JSON text that parse_header_length() measured.
Result<SafetensorsHeader> parse_header(std::string_view json_text, uint64_t file_bytes,
                                       std::string_view name);

}  // namespace tessera::formats
