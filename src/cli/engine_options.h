// The options of `tessera serve` that steer the engine beyond its limits: cache, order, budgets, guesses. By
// SGLang's names.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/open_model.h"

namespace tessera::cli {

struct EngineArguments {
  int32_t page_size = engine::kDefaultPageSize;
  bool disable_radix_cache = false;
  int32_t max_prefill_tokens = 16384;
  double req_waiting_timeout_s = -1;  // 0 and below: none
  double max_step_stretch = 2.0;
  std::string schedule_policy = "fcfs";
  double schedule_conservativeness = 1.0;
  std::string speculative_algorithm;         // empty: none
  int32_t speculative_num_draft_tokens = 0;  // 0: ngram_max_match, as SGLang does
  int32_t ngram_min_match = 1, ngram_max_match = 12;
};

/// Adds them to `command`; values land in `arguments`, which outlives the parse.
void add_engine_options(CLI::App& command, EngineArguments& arguments);

/// Sets what they say in `options`, whose chunked_prefill_size is set. kUnsupported for an algorithm that
/// does not exist here.
Status apply_engine_options(const EngineArguments& arguments, engine::EngineOptions& options);

/// Adds them to `info`, for /get_server_info.
void describe(const EngineArguments& arguments, nlohmann::ordered_json& info);

}  // namespace tessera::cli
