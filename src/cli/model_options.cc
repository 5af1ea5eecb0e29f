#include "cli/model_options.h"

#include <charconv>
#include <map>
#include <string>

namespace tessera::cli {

void add_model_options(CLI::App& command, models::LoadOptions& options) {
  add_model_path(command, options.model_path, options.packed, options.packed_cache);
  add_packing_options(command, options);
  add_kv_cache_dtype(command, options.kv_cache_dtype);
  add_load_format(command, options.load_format);
}

void add_packing_options(CLI::App& command, models::LoadOptions& options) {
  command.add_option("--dtype", options.dtype, "of float weights")
      ->check(CLI::IsMember({"auto", "bfloat16", "float32"}))
      ->capture_default_str();
  add_weight_layout(command, options.weight_layout);
  command.add_option(
      "--quantization", options.quantization,
      "w8a8_int8, w4a8_int8, w4a4_int4 or w4a16_int4: round a float checkpoint to it while loading, give a "
      "weight-only one (GPTQ, AWQ) int8 inputs, insist on it of others; or insist on a format such as gptq");
  command.add_option("--threads", options.threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
}

void add_model_path(CLI::App& command, std::string& model_path, std::string& packed,
                    std::string& packed_cache) {
  const CLI::Option* path = command.add_option("--model-path,--model", model_path, "directory of the model");
  CLI::Option* file = command.add_option("--packed", packed,
                                         "file made by tessera pack, to map instead of reading weights; "
                                         "--model-path is then only compared with it");
  command
      .add_option("--packed-cache", packed_cache,
                  "directory of packed files: the model's is made on first use, and again when it is stale")
      ->excludes(file);
  command.parse_complete_callback([path, file] {
    if (path->count() + file->count() == 0) throw CLI::RequiredError("--model-path or --packed");
  });
}

void add_weight_layout(CLI::App& command, std::string& layout) {
  command
      .add_option("--weight-layout", layout,
                  "of weights: nz (tiles, fast; the default) or nd (rows, for comparison)")
      ->check(CLI::IsMember({"nz", "nd"}));
}

void add_kv_cache_dtype(CLI::App& command, std::string& dtype) {
  command
      .add_option(
          "--kv-cache-dtype", dtype,
          "of the KV cache: auto (as the checkpoint says, else bf16), bf16, or int8 (half the memory)")
      ->check(CLI::IsMember({"auto", "bf16", "bfloat16", "int8"}))
      ->capture_default_str();
}

void add_load_format(CLI::App& command, models::LoadFormat& format) {
  using models::LoadFormat;
  static const std::map<std::string, LoadFormat> kNames = {
      {"auto", LoadFormat::kAuto}, {"safetensors", LoadFormat::kSafetensors}, {"dummy", LoadFormat::kDummy}};
  command
      .add_option_function<std::string>(
          "--load-format", [&format](const std::string& name) { format = kNames.at(name); },
          "of the weights; dummy: none are read, random ones of the scheme that --quantization names")
      ->check(CLI::IsMember({"auto", "safetensors", "dummy"}));
}

Result<std::vector<int32_t>> parse_token_ids(std::string_view option, std::string_view text) {
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), id);
    if (error != std::errc() || stop != part.data() + part.size() || id < 0) {
      return invalid_argument("{}: \"{:.40}\" is not a token id, expected numbers like 1,2,3", option, part);
    }
    ids.push_back(id);
    begin = end + 1;
  }
  return ids;
}

}  // namespace tessera::cli
