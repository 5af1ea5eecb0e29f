#include "cli/model_options.h"

#include <charconv>
#include <map>
#include <string>

namespace tessera::cli {

void add_model_options(CLI::App& command, models::LoadOptions& options) {
  command.add_option("--model-path,--model", options.model_path, "directory of the model")->required();
  command.add_option("--dtype", options.dtype, "of float weights")
      ->check(CLI::IsMember({"auto", "bfloat16", "float32"}))
      ->capture_default_str();
  add_kv_cache_dtype(command, options.kv_cache_dtype);
  command
      .add_option("--weight-layout", options.weight_layout,
                  "of integer weights: nz (tiles, fast) or nd (rows, for comparison)")
      ->check(CLI::IsMember({"nz", "nd"}))
      ->capture_default_str();
  command.add_option(
      "--quantization", options.quantization,
      "w8a8_int8, w4a8_int8, w4a4_int4 or w4a16_int4: round a float checkpoint to it while loading, insist "
      "on it of a quantized one; or insist on a format such as compressed-tensors");
  add_load_format(command, options.load_format);
  command.add_option("--threads", options.threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
}

void add_kv_cache_dtype(CLI::App& command, std::string& dtype) {
  command
      .add_option(
          "--kv-cache-dtype", dtype,
          "of the KV cache: auto (as --dtype), bf16, or int8 (half the memory, a scale per token and head)")
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
