#include "formats/modelslim/description.h"

#include <algorithm>

#include "formats/json_limits.h"
#include "formats/safetensors/header.h"

namespace tessera::formats::modelslim {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 8;  // "metadata" and "optional" nest
constexpr size_t kMaxNamed = 20;

std::string shown(const json& value) {
  constexpr size_t kMaxShown = 80;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

bool is_empty(const json& value) {
  return value.is_null() || ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

/// Keys about the whole model that change nothing in what is computed: the scheme of each tensor is its own,
/// model_quant_type hides some types on purpose, and "optional" describes files for draft models.
bool is_informative(std::string_view key) {
  return key == "model_quant_type" || key == "version" || key == "group_size" || key == "optional" ||
         key == "kv_cache_type" || key == "kv_quant_type";
}

/// "key=value: what it means" for a global key that we do not run; empty when it says nothing.
std::string problem_of(const std::string& key, const json& value) {
  if (key == "metadata") {
    if (!value.is_object()) return fmt::format("metadata={}, expected an object", shown(value));
    std::string text;
    for (const auto& [name, entry] : value.items()) {
      if (is_empty(entry)) continue;
      const char* meaning = name == "quarot" ? " (online rotations)" : "";
      text += fmt::format("{}metadata.{:.100}{}", text.empty() ? "" : ", ", name, meaning);
    }
    return text;
  }
  if (is_empty(value)) return "";
  if (key == "fa_quant_type") return fmt::format("fa_quant_type={} (quantized attention)", shown(value));
  if (key == "reduce_quant_type")
    return fmt::format("reduce_quant_type={} (quantized reductions)", shown(value));
  return fmt::format("{:.100}={}, an unknown key", key, shown(value));
}

}  // namespace

Result<Description> Description::parse(std::string_view text, std::string_view name) {
  const json root = TRY(parse_json(
      text, name, {.max_bytes = kMaxBytes, .max_depth = kMaxDepth, .max_values = 4 * kMaxTensors}));
  if (!root.is_object()) return data_corrupt("{}: {}, expected an object of tensor names", name, shown(root));
  Description description;
  description.versioned_ = root.contains("version");
  for (const auto& [key, value] : root.items()) {
    const bool tensor = key.find('.') != std::string::npos;
    if (!tensor) {
      if (is_informative(key)) continue;
      auto problem = problem_of(key, value);
      if (!problem.empty() && description.unsupported_.size() < kMaxNamed)
        description.unsupported_.push_back(std::move(problem));
      continue;
    }
    if (!value.is_string()) {
      return data_corrupt("{}: {:.200}={}, expected a quantization type as text", name, key, shown(value));
    }
    if (key.size() > kMaxTensorNameBytes) {
      return data_corrupt("{}: a tensor name of {} bytes, expected at most {}", name, key.size(),
                          kMaxTensorNameBytes);
    }
    const auto& type = value.get_ref<const std::string&>();
    const auto place = std::ranges::find(description.types_, type) - description.types_.begin();
    if (static_cast<size_t>(place) == description.types_.size()) {
      if (description.types_.size() == kMaxTypes)
        return resource_exhausted("{}: more than {} different types", name, kMaxTypes);
      description.types_.push_back(type);
    }
    description.type_of_.emplace(key, static_cast<uint16_t>(place));
  }
  if (description.type_of_.empty())
    return data_corrupt("{}: names no tensor, expected a type for each", name);
  return description;
}

std::string_view Description::type_of(std::string_view tensor) const {
  const auto place = type_of_.find(tensor);
  return place == type_of_.end() ? std::string_view() : types_[place->second];
}

std::vector<std::string_view> Description::tensors() const {
  std::vector<std::string_view> names;
  names.reserve(type_of_.size());
  for (const auto& entry : type_of_)
    names.push_back(entry.first);
  return names;
}

Result<std::optional<std::filesystem::path>> find_description(const std::filesystem::path& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (file.starts_with("quant_model_description") && file.ends_with(".json")) found.push_back(file);
  }
  if (found.empty()) return std::optional<std::filesystem::path>();
  if (found.size() == 1) return std::optional<std::filesystem::path>(directory / found.front());
  std::ranges::sort(found);
  return invalid_argument("{}: has {}, expected one quant_model_description", directory.string(),
                          fmt::join(found, " and "));
}

}  // namespace tessera::formats::modelslim
