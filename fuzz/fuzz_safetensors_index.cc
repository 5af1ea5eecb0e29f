// model.safetensors.index.json: every shard name that is accepted stays in its directory.
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/check.h"
#include "formats/safetensors/index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera::formats;
  const auto index = parse_index(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!index.has_value()) return 0;
  for (const std::string& shard : index->shards) {
    const auto joined = (std::filesystem::path("/model") / shard).lexically_normal();
    CHECK(joined.parent_path() == "/model" && joined.filename() == shard, "{}", shard);
  }
  for (const auto& [name, shard] : index->shard_of)
    CHECK(shard < index->shards.size(), "{}", name);
  return 0;
}
