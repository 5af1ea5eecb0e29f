// `tessera bench serving`: load for a running server, and how it bore it: SGLang's bench_serving with its
// options, prompts, figures, printed lines and JSON, for any server that speaks SGLang's or OpenAI's API. One
// thread does all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/serving/dataset.h"
#include "bench/serving/metrics.h"

namespace tessera::bench::serving {

struct ServingOptions {
  std::string backend = "sglang";
  std::string base_url;  // instead of host and port
  std::string host = "127.0.0.1";
  std::optional<uint16_t> port;   // default: the backend's
  std::string model;              // name or directory; empty: the server is asked
  std::string served_model_name;  // sent instead of `model`
  std::string tokenizer;          // directory or tokenizer.json; empty: that of the model

  std::string dataset = "sharegpt";
  std::string dataset_path;
  size_t num_prompts = 1000;
  RandomOptions random;
  ShareGptOptions sharegpt;
  SharedPrefixOptions shared_prefix;
  bool apply_chat_template = false;  // sharegpt

  double request_rate = std::numeric_limits<double>::infinity();  // per second, Poisson
  size_t max_concurrency = 0;                                     // 0: no limit
  size_t warmup_requests = 1;
  double settle_s = 1;  // between warm-up and run, as in the script
  bool flush_cache = false;
  bool stream = true;
  bool ignore_eos = true;
  bool return_logprob = false;
  std::string extra_request_body;  // a JSON object
  uint32_t seed = 1;
  bool show_progress = true;

  std::string tag;
  std::string output_file;  // empty: named as SGLang names it
  bool output_details = false;
};

struct ServingReport {
  ServingOptions options = {};
  Metrics metrics = {};
  std::optional<double> accept_length = {};
  nlohmann::ordered_json server_info = nullptr;  // null: the server has none
  std::vector<Prompt> prompts = {};
  std::vector<Outcome> outcomes = {};
};

/// Called with lines for people while it runs.
using Say = std::function<void(std::string_view line)>;

/// A server that cannot be reached, a failed warm-up and bad options are errors; requests that fail are in
/// the report.
Result<ServingReport> measure_serving(const ServingOptions& options, const Say& say);

/// The printed table, and how many requests failed with the first error.
std::string report_text(const ServingReport& report);
/// One record of the JSONL file.
nlohmann::ordered_json to_json(const ServingReport& report);
/// Appends that record to the file; returns its name.
Result<std::string> append_record(const ServingReport& report);

}  // namespace tessera::bench::serving
