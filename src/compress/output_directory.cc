#include "compress/output_directory.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace tessera::compress {
namespace {

namespace fs = std::filesystem;

/// Files that make a directory a checkpoint of some format: they never travel to another, and go with the
/// weights.
bool is_weights_file(const fs::path& file) {
  const std::string name = file.filename().string();
  return file.extension() == ".safetensors" || name.ends_with(".safetensors.index.json") ||
         name.starts_with("quant_model_description") || name == "quantize_config.json" ||
         name == "quant_config.json" || name == "sensitivity.json";
}

bool is_side_file(const fs::path& file) {
  constexpr std::array<std::string_view, 4> kExtensions = {".json", ".jinja", ".txt", ".model"};
  if (file.filename() == "config.json" || is_weights_file(file)) return false;
  return std::ranges::find(kExtensions, file.extension().string()) != kExtensions.end();
}

Status remove_earlier_run(const fs::path& output) {
  for (const auto& entry : fs::directory_iterator(output)) {
    if (entry.path().filename() == "config.json" || is_weights_file(entry.path())) fs::remove(entry.path());
  }
  return {};
}

}  // namespace

Status prepare_output_directory(const fs::path& source, const fs::path& output, bool force) try {
  if (fs::exists(output)) {
    if (!fs::is_directory(output)) return invalid_argument("{}: not a directory", output.string());
    if (fs::equivalent(source, output))
      return invalid_argument("--output={} is the model itself", output.string());
    if (!fs::is_empty(output)) {
      if (!force)
        return invalid_argument("--output={} is not empty, expected an empty directory or --force",
                                output.string());
      return remove_earlier_run(output);
    }
  }
  fs::create_directories(output);
  return {};
} catch (const fs::filesystem_error& error) {
  return invalid_argument("{}: {}", output.string(), error.code().message());
}

Status copy_side_files(const fs::path& source, const fs::path& output) try {
  for (const auto& entry : fs::directory_iterator(source)) {
    if (!entry.is_regular_file() || !is_side_file(entry.path())) continue;
    fs::copy_file(entry.path(), output / entry.path().filename(), fs::copy_options::overwrite_existing);
  }
  return {};
} catch (const fs::filesystem_error& error) {
  return unavailable("copying {} to {}: {}", error.path1().string(), output.string(), error.code().message());
}

}  // namespace tessera::compress
