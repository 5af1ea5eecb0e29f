// The options of `tessera serve`, by SGLang's names. Those that only make sense on another device are
// accepted, and said to have no effect.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include "base/result.h"
#include "cli/engine_options.h"
#include "cli/http_options.h"
#include "models/model.h"

namespace tessera::cli {

struct ServeOptions {
  std::string model_path;
  std::string packed, packed_cache;
  std::string served_model_name;  // empty: model_path, or else packed
  HttpOptions http;
  std::string dtype = "auto";
  std::string weight_layout;  // "" = nz, or what the packed file has
  std::string kv_cache_dtype = "auto";
  std::string quantization;
  models::LoadFormat load_format = models::LoadFormat::kAuto;
  std::string chat_template;     // a file; empty: the model's own
  std::string pooling = "last";  // of embeddings that ask for none
  std::string device = "auto";
  std::string log_level = "info";
  int32_t context_length = 0;  // 0: the model's
  int32_t max_running_requests = 64;
  int32_t max_queued_requests = 1024;
  int64_t max_queued_tokens = int64_t{1} << 20;
  int64_t max_total_tokens = 0;       // 0: by memory
  double mem_fraction_static = 0.88;  // of the memory that is there, for weights and cache
  int32_t chunked_prefill_size = 512;
  EngineArguments engine;
  int threads = 0;  // 0: all cores
  std::optional<uint64_t> random_seed;
  std::string trace;  // a file to write
  bool skip_server_warmup = false;
  double drain_timeout_s = 30;

  std::vector<std::string> no_effect;  // names that were given
};

/// Adds every option to `command`; values land in `options`, which outlives the parse.
void add_serve_options(CLI::App& command, ServeOptions& options);

/// What CLI11 cannot check: --device and --chunked-prefill-size. Call it after the parse.
Status check_serve_options(ServeOptions& options);

/// The options for /get_server_info, without the key.
nlohmann::ordered_json describe(const ServeOptions& options);

}  // namespace tessera::cli
