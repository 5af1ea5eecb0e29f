#include "formats/safetensors/weight_files.h"

#include <algorithm>
#include <vector>

namespace tessera::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";

bool is_shard(std::string_view name) {
  return name.find("-of-") != std::string_view::npos;
}

struct QuantizedFiles {
  bool described = false;
  std::vector<std::string> singles, indexes;

  bool any() const { return !singles.empty() || !indexes.empty(); }
};

/// Files whose names start with `stem`.
QuantizedFiles list_quantized(const fs::path& directory, std::string_view stem) {
  QuantizedFiles files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    files.described |= name.starts_with("quant_model_description") && name.ends_with(".json");
    if (!name.starts_with(stem)) continue;
    if (name.ends_with(".safetensors.index.json")) {
      files.indexes.push_back(std::move(name));
    } else if (name.ends_with(".safetensors") && !is_shard(name)) {
      files.singles.push_back(std::move(name));
    }
  }
  std::ranges::sort(files.singles);
  std::ranges::sort(files.indexes);
  return files;
}

/// Of files that are there.
Result<WeightFiles> only_one(const fs::path& directory, const QuantizedFiles& files) {
  const bool is_index = files.singles.empty();
  const auto& names = is_index ? files.indexes : files.singles;
  if (names.size() == 1) return WeightFiles{.file = names.front(), .is_index = is_index};
  return invalid_argument("{}: has {}, expected one of them", directory.string(), fmt::join(names, " and "));
}

}  // namespace

Result<WeightFiles> find_weight_files(const fs::path& directory) {
  const QuantizedFiles quantized = list_quantized(directory, "quant_model_weight");
  if (quantized.described && quantized.any()) return only_one(directory, quantized);
  std::error_code error;
  if (fs::exists(directory / kSingleFile, error)) return WeightFiles{.file = std::string(kSingleFile)};
  if (fs::exists(directory / kIndexFile, error))
    return WeightFiles{.file = std::string(kIndexFile), .is_index = true};
  if (const QuantizedFiles gptq = list_quantized(directory, "gptq_model"); gptq.any())
    return only_one(directory, gptq);
  if (!quantized.described && !quantized.singles.empty()) {
    return not_found("{}: has {} but no quant_model_description.json, expected both", directory.string(),
                     quantized.singles.front());
  }
  return not_found("{}: has neither {} nor {}{}", directory.string(), kSingleFile, kIndexFile,
                   quantized.described ? " nor quant_model_weight*.safetensors" : "");
}

}  // namespace tessera::formats
