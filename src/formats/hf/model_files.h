// ModelFiles: the small files of a model beside its weights, as text: config.json, tokenizer.json and their
// like. They come from a model directory or out of a packed file, and nobody further on need know which.
// Plain data.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::formats {

struct ModelFiles {
  std::filesystem::path origin;                           // the directory or the packed file; opens messages
  std::map<std::string, std::string, std::less<>> texts;  // by file name; those there are

  /// nullptr when absent.
  const std::string* find(std::string_view file_name) const {
    const auto found = texts.find(file_name);
    return found == texts.end() ? nullptr : &found->second;
  }
};

/// kNotFound when there is no config.json; kResourceExhausted when a file is larger than such files are.
Result<ModelFiles> read_model_files(const std::filesystem::path& directory);

}  // namespace tessera::formats
