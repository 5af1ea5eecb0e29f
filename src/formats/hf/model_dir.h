// ModelDir: what a Hugging Face model directory says in JSON: config.json, generation_config.json and the ids
// that end an answer. The meaning of config.json's other fields belongs to src/models. A value; thread-safe
// to read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/hf/model_files.h"

namespace tessera::formats {

struct ModelDir {
  std::filesystem::path path;
  nlohmann::json config;             // an object
  nlohmann::json generation_config;  // an object; empty when the file is absent
  /// eos_token_id of generation_config.json, else of config.json: one id or a list. Empty when neither has
  /// it.
  std::vector<int32_t> eos_token_ids;
};

/// kNotFound when config.json is absent.
Result<ModelDir> open_model_dir(const std::filesystem::path& directory);
/// As that, of files that were read already.
Result<ModelDir> parse_model_dir(const ModelFiles& files);

/// An object in DIRECTORY/FILE_NAME, within the default limits of parse_json(). kNotFound when the file is
/// absent.
Result<nlohmann::json> read_json_object(const std::filesystem::path& directory, std::string_view file_name);

}  // namespace tessera::formats
