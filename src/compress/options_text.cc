#include "compress/options_text.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"

namespace tessera::compress {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json describe(const RotateOptions& rotate) {
  return {{"seed", rotate.seed}, {"online", rotate.online}, {"down_block", rotate.down_block}};
}

json describe(const AutoOptions& automatic) {
  json text = {{"low", automatic.low}, {"high", automatic.high}, {"sequences", automatic.sequences}};
  if (automatic.budget) {
    text["budget"] = automatic.budget->amount;
    text["bits_per_weight"] = automatic.budget->is_bits_per_weight;
  }
  if (automatic.target_kl) text["target_kl"] = *automatic.target_kl;
  text["sensitivity"] = automatic.sensitivity;
  return text;
}

/// What is done to the float model before it is rounded.
void describe_changes(const QuantizeOptions& options, json& text) {
  if (options.rotate) text["rotate"] = describe(*options.rotate);
  if (options.smooth) text["smooth"] = *options.smooth;
  if (options.awq) text["awq"] = true;
  if (options.int8_cache) text["int8_cache"] = true;
  if (options.activation_clip != 1) text["activation_clip"] = options.activation_clip;
}

/// Name, size and time of every file that weights or words may come from.
Result<json> describe_files(const fs::path& directory) try {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  json files = json::array();
  for (const fs::path& path : paths) {
    const InputFile file = TRY(InputFile::open(path));
    files.push_back({path.filename().string(), file.size(), file.modified_seconds()});
  }
  return files;
} catch (const fs::filesystem_error& error) {
  return not_found("{}: {}", directory.string(), error.code().message());
}

}  // namespace

nlohmann::json sensitivity_settings(const QuantizeOptions& options) {
  json text = {{"clip", static_cast<int>(options.clip)},
               {"calibration", options.calibration.file},
               {"calibration_length", options.calibration.length},
               {"sequences", options.automatic->sequences}};
  describe_changes(options, text);
  return text;
}

Result<nlohmann::json> fingerprint(const QuantizeOptions& options) {
  json text = {{"model_path", options.model_path},
               {"files", TRY(describe_files(options.model_path))},
               {"scheme", options.scheme},
               {"group_size", options.group_size.value_or(-1)},
               {"activation_group", options.activation_group},
               {"storage", options.storage ? static_cast<int>(*options.storage) : -1},
               {"format", options.format},
               {"lm_head", options.lm_head},
               {"ignore", options.ignore},
               {"threads", options.threads > 0 ? options.threads : default_thread_count()},
               {"method", static_cast<int>(options.method)},
               {"clip", static_cast<int>(options.clip)},
               {"calibration", options.calibration.file},
               {"calibration_sequences", options.calibration.sequences},
               {"calibration_length", options.calibration.length}};
  describe_changes(options, text);
  if (options.automatic) text["auto"] = describe(*options.automatic);
  if (!options.calibration.file.empty()) {
    const InputFile file = TRY(InputFile::open(options.calibration.file));
    text["calibration_file"] = {file.size(), file.modified_seconds()};
  }
  return text;
}

}  // namespace tessera::compress
