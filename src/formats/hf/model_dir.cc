#include "formats/hf/model_dir.h"

#include <limits>

#include "base/model_file.h"
#include "formats/json_limits.h"

namespace tessera::formats {
namespace {

using nlohmann::json;

constexpr size_t kMaxEosIds = 1024;

Result<std::vector<int32_t>> parse_ids(const json& value, const std::string& where) {
  const json list = value.is_array() ? value : json::array({value});
  if (list.size() > kMaxEosIds) {
    return data_corrupt("{}: {} ids, expected at most {}", where, list.size(), kMaxEosIds);
  }
  std::vector<int32_t> ids;
  for (const json& id : list) {
    if (!id.is_number_unsigned() ||
        id.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
      return data_corrupt("{}: {:.100}, expected a token id or a list of token ids", where, id.dump());
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Result<std::vector<int32_t>> find_eos_ids(const ModelDir& model) {
  constexpr const char* kKey = "eos_token_id";
  if (const auto found = model.generation_config.find(kKey);
      found != model.generation_config.end() && !found->is_null()) {
    return parse_ids(*found, (model.path / "generation_config.json").string() + ": " + kKey);
  }
  if (const auto found = model.config.find(kKey); found != model.config.end() && !found->is_null()) {
    return parse_ids(*found, (model.path / "config.json").string() + ": " + kKey);
  }
  return std::vector<int32_t>{};
}

Result<json> parse_object(std::string_view text, const std::string& name) {
  json value = TRY(parse_json(text, name));
  if (!value.is_object()) return data_corrupt("{}: not a JSON object", name);
  return value;
}

}  // namespace

Result<json> read_json_object(const std::filesystem::path& directory, std::string_view file_name) {
  const std::string name = (directory / file_name).string();
  const InputFile file = TRY(open_model_file(directory, file_name));
  return parse_object(TRY(read_text_file(file.path(), JsonLimits{}.max_bytes)), name);
}

Result<ModelDir> open_model_dir(const std::filesystem::path& directory) {
  ModelDir model{.path = directory, .config = {}, .generation_config = json::object(), .eos_token_ids = {}};
  model.config = TRY(read_json_object(directory, "config.json"));
  std::error_code error;
  if (std::filesystem::exists(directory / "generation_config.json", error)) {
    model.generation_config = TRY(read_json_object(directory, "generation_config.json"));
  }
  model.eos_token_ids = TRY(find_eos_ids(model));
  return model;
}

Result<ModelDir> parse_model_dir(const ModelFiles& files) {
  ModelDir model{
      .path = files.origin, .config = {}, .generation_config = json::object(), .eos_token_ids = {}};
  const auto parse = [&](std::string_view name, json& into) -> Status {
    const std::string* text = files.find(name);
    if (text != nullptr) into = TRY(parse_object(*text, (files.origin / name).string()));
    return {};
  };
  TRY_STATUS(parse("config.json", model.config));
  if (model.config.is_null()) return not_found("{}: no config.json", files.origin.string());
  TRY_STATUS(parse("generation_config.json", model.generation_config));
  model.eos_token_ids = TRY(find_eos_ids(model));
  return model;
}

}  // namespace tessera::formats
