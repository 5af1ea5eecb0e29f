#include "formats/safetensors/index.h"

#include <algorithm>

#include "base/quoted.h"
#include "formats/json_limits.h"
#include "formats/safetensors/header.h"

namespace tessera::formats {

Status check_plain_file_name(std::string_view file_name, std::string_view where) {
  constexpr size_t kMaxFileName = 255;
  const bool plain = !file_name.empty() && file_name != "." && file_name != ".." &&
                     file_name.size() <= kMaxFileName && std::ranges::all_of(file_name, [](char c) {
                       return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '/' && c != '\\';
                     });
  if (plain) return {};
  return data_corrupt("{}: shard {}: expected a plain file name in the model's directory", where,
                      quoted_text(file_name.substr(0, kMaxFileName)));
}

Result<SafetensorsIndex> parse_index(std::string_view json_text, std::string_view name) {
  constexpr size_t kIndexDepth = 8;  // "metadata" may hold anything
  const auto root =
      TRY(parse_json(json_text, name,
                     {.max_bytes = kMaxIndexBytes, .max_depth = kIndexDepth, .max_values = 4 * kMaxTensors}));
  const auto map = root.is_object() ? root.find("weight_map") : root.end();
  if (map == root.end() || !map->is_object())
    return data_corrupt("{}: weight_map is missing or not an object", name);
  if (map->empty()) return data_corrupt("{}: weight_map is empty", name);
  if (map->size() > kMaxTensors) {
    return resource_exhausted("{}: {} tensors, expected at most {}", name, map->size(), kMaxTensors);
  }
  SafetensorsIndex index;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) return data_corrupt("{}: weight_map.{:.100} is not a file name", name, tensor);
    index.shards.push_back(shard.get<std::string>());
  }
  std::ranges::sort(index.shards);
  index.shards.erase(std::unique(index.shards.begin(), index.shards.end()), index.shards.end());
  if (index.shards.size() > kMaxShards) {
    return resource_exhausted("{}: {} shards, expected at most {}", name, index.shards.size(), kMaxShards);
  }
  for (const std::string& shard : index.shards)
    TRY_STATUS(check_plain_file_name(shard, name));
  for (const auto& [tensor, shard] : map->items()) {
    const auto place = std::ranges::lower_bound(index.shards, shard.get_ref<const std::string&>());
    index.shard_of.emplace(tensor, static_cast<uint32_t>(place - index.shards.begin()));
  }
  return index;
}

}  // namespace tessera::formats
