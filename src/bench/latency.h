// `tessera bench latency`: prefill and decode of a whole model, from its config.json, with weights that
// nobody trained. Every run of the model is preceded by a short run of the peak that bounds it, and its speed
// is told as a fraction of that.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/machine.h"
#include "bench/sample.h"

namespace tessera::bench {

struct LatencyOptions {
  std::string config;           // a config.json
  std::string scheme = "w4a8";  // models::DummyOptions
  std::string head = "none";
  std::string layout = "nz";
  std::string kv_cache_dtype = "auto";
  std::string dtype = "auto";
  std::vector<int32_t> batches{1, 4, 16, 64};
  std::vector<int32_t> prompts{512, 2048};
  int32_t decode = 128;  // steps
  int32_t layers = 0;    // 0: the config's
  int threads = 0;       // 0: all cores
  double seconds = 5;    // of prefill, and of decode, per run: longer ones are cut short
};

struct LatencyRun {
  int32_t batch = 0, prompt = 0, decode = 0;  // as asked for
  int32_t prefill_rows = 0;  // tokens of one prefill step: whole prompts, as many as fit into 2048
  int32_t decode_steps = 0;  // measured
  std::string skipped;       // why; empty: it ran
  Sample prefill_tokens_per_s, decode_tokens_per_s;
  Sample prefill_of_peak, decode_of_peak;  // multiply-adds of the linears against the bounding loop's
  Sample decode_of_bandwidth;              // bytes of weights against what memory delivers
  Sample decode_of_bandwidth_with_cache;   // the same with the bytes of cached keys and values
};

struct LatencyReport {
  Machine machine;
  LatencyOptions options;
  std::string model, peak;  // peak: the loop that fractions are of
  int32_t layers = 0;
  double load_seconds = 0;
  int64_t packed_bytes = 0, bytes_per_token = 0, cache_bytes_per_token = 0, macs_per_token = 0;
  std::vector<LatencyRun> runs;
};

/// `on_run` is called after every run, with the report so far. Errors are those of the config and the
/// options.
Result<LatencyReport> measure_latency(const LatencyOptions& options,
                                      const std::function<void(const LatencyReport&)>& on_run);

/// DESIGN section 2, `bench latency --json`.
nlohmann::ordered_json to_json(const LatencyReport& report);
/// What was measured, the head of the table, and one line of it.
std::string head_text(const LatencyReport& report);
std::string line_text(const LatencyRun& run);

}  // namespace tessera::bench
