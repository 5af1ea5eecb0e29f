// model.safetensors.index.json: which shard holds which tensor. Shard names are outside input and become
// paths, so only plain file names pass. Pure functions over text.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace tessera::formats {

inline constexpr uint64_t kMaxIndexBytes = 256ULL << 20;
inline constexpr size_t kMaxShards = 4096;

struct SafetensorsIndex {
  std::vector<std::string> shards;  // sorted, each once
  std::unordered_map<std::string, uint32_t> shard_of;
};

/// Rule 8, as far as the text alone can tell.
Result<SafetensorsIndex> parse_index(std::string_view json_text, std::string_view name);

/// A name that stays in its directory: not empty, not "." or "..", without '/', '\\' and control characters.
Status check_plain_file_name(std::string_view file_name, std::string_view where);

}  // namespace tessera::formats
