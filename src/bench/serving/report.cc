#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <fstream>

#include "bench/serving/serving.h"

namespace tessera::bench::serving {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMs = 1000;

template <class Value>
std::string row(std::string_view name, const Value& value) {
  return fmt::format("{:<40} {:<10}\n", name, value);
}
std::string row2(std::string_view name, double value) {
  return fmt::format("{:<40} {:<10.2f}\n", name, value);
}
std::string heading(std::string_view text) {
  return fmt::format("{:-^50}\n", text);
}

std::string percentile_rows(std::string_view name, const Spread& spread) {
  const auto line = [&](std::string_view which, double seconds) {
    return row2(fmt::format("{} {} (ms):", which, name), seconds * kMs);
  };
  return line("Mean", spread.mean) + line("Median", spread.median) + line("P90", spread.p90) +
         line("P95", spread.p95) + line("P99", spread.p99);
}

/// "inf", "2.0", "0.5", as Python prints them.
std::string rate_text(double rate) {
  return std::isinf(rate) ? "inf" : Json(rate).dump();
}

std::string failure_text(const ServingReport& report) {
  size_t failed = 0;
  const Outcome* first = nullptr;
  for (const Outcome& one : report.outcomes) {
    if (one.success) continue;
    if (!first) first = &one;
    ++failed;
  }
  if (!first) return "";
  return row("Failed requests:", failed) + fmt::format("First error: {}\n", first->error);
}

std::string counts_text(const ServingReport& report) {
  const Metrics& m = report.metrics;
  const size_t most = report.options.max_concurrency;
  std::string text = row("Backend:", report.options.backend);
  text += row("Traffic request rate:", rate_text(report.options.request_rate));
  text += row("Max request concurrency:", most > 0 ? std::to_string(most) : "not set");
  text += row("Successful requests:", m.completed);
  text += failure_text(report);
  text += row2("Benchmark duration (s):", m.duration_s);
  text += row("Total input tokens:", m.input_tokens);
  text += row("Total input text tokens:", m.input_tokens);
  text += row("Total input vision tokens:", 0);
  text += row("Total generated tokens:", m.output_tokens);
  text += row("Total generated tokens (retokenized):", m.retokenized_output_tokens);
  text += row2("Request throughput (req/s):", m.requests_per_s);
  text += row2("Input token throughput (tok/s):", m.input_tokens_per_s);
  text += row2("Output token throughput (tok/s):", m.output_tokens_per_s);
  text += row2("Peak output token throughput (tok/s):", m.peak_output_tokens);
  text += row("Peak concurrent requests:", m.peak_concurrency);
  text += row2("Total token throughput (tok/s):", m.total_tokens_per_s);
  text += row2("Concurrency:", m.concurrency);
  if (report.accept_length) text += row2("Accept length:", *report.accept_length);
  return text;
}

void add_spread(Json& record, const std::string& name, const Spread& spread) {
  record["mean_" + name + "_ms"] = spread.mean * kMs;
  record["median_" + name + "_ms"] = spread.median * kMs;
  record["std_" + name + "_ms"] = spread.std * kMs;
  record["p90_" + name + "_ms"] = spread.p90 * kMs;
  record["p95_" + name + "_ms"] = spread.p95 * kMs;
  record["p99_" + name + "_ms"] = spread.p99 * kMs;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void add_arguments(Json& record, const ServingOptions& options) {
  record["tag"] = options.tag.empty() ? Json(nullptr) : Json(options.tag);
  record["backend"] = options.backend;
  record["dataset_name"] = options.dataset;
  // JSON has no infinity; the script writes one all the same.
  record["request_rate"] = std::isinf(options.request_rate) ? Json("inf") : Json(options.request_rate);
  record["max_concurrency"] = options.max_concurrency > 0 ? Json(options.max_concurrency) : Json(nullptr);
  record["sharegpt_output_len"] = or_null(options.sharegpt.output_len);
  record["random_input_len"] = options.random.input_len;
  record["random_output_len"] = options.random.output_len;
  record["random_range_ratio"] = options.random.range_ratio;
}

void add_details(Json& record, const ServingReport& report) {
  for (const char* key : {"input_lens", "output_lens", "ttfts", "itls", "generated_texts", "errors"})
    record[key] = Json::array();
  for (size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& one = report.outcomes[i];
    record["input_lens"].push_back(report.prompts[i].input_tokens);
    record["output_lens"].push_back(one.success ? one.output_tokens : 0);
    record["ttfts"].push_back(one.ttft_s);
    record["itls"].push_back(one.itls_s);
    record["generated_texts"].push_back(one.text);
    record["errors"].push_back(one.error);
  }
}

std::string file_name(const ServingOptions& options) {
  if (!options.output_file.empty()) return options.output_file;
  const std::string head =
      fmt::format("{}_{:%m%d}_{}", options.backend, fmt::localtime(std::time(nullptr)), options.num_prompts);
  if (!options.dataset.starts_with("random")) return fmt::format("{}_{}.jsonl", head, options.dataset);
  return fmt::format("{}_{}_{}.jsonl", head, options.random.input_len, options.random.output_len);
}

}  // namespace

std::string report_text(const ServingReport& report) {
  const Metrics& m = report.metrics;
  std::string text = fmt::format("\n{:=^50}\n", " Serving Benchmark Result ");
  text += counts_text(report);
  text += heading("End-to-End Latency") + percentile_rows("E2E Latency", m.latency_s);
  text += heading("Time to First Token") + percentile_rows("TTFT", m.ttft_s);
  text += heading("Time per Output Token (excl. 1st token)") + percentile_rows("TPOT", m.tpot_s);
  text += heading("Inter-Token Latency") + percentile_rows("ITL", m.itl_s);
  text += row2("Max ITL (ms):", m.itl_s.max * kMs);
  return text + std::string(50, '=') + "\n";
}

Json to_json(const ServingReport& report) {
  const Metrics& m = report.metrics;
  Json record;
  add_arguments(record, report.options);
  record["server_info"] = report.server_info;
  record["duration"] = m.duration_s;
  record["completed"] = m.completed;
  record["total_input_tokens"] = m.input_tokens;
  record["total_input_text_tokens"] = m.input_tokens;
  record["total_input_vision_tokens"] = 0;
  record["total_output_tokens"] = m.output_tokens;
  record["total_output_tokens_retokenized"] = m.retokenized_output_tokens;
  record["request_throughput"] = m.requests_per_s;
  record["input_throughput"] = m.input_tokens_per_s;
  record["output_throughput"] = m.output_tokens_per_s;
  record["total_throughput"] = m.total_tokens_per_s;
  add_spread(record, "e2e_latency", m.latency_s);
  add_spread(record, "ttft", m.ttft_s);
  add_spread(record, "tpot", m.tpot_s);
  add_spread(record, "itl", m.itl_s);
  record["concurrency"] = m.concurrency;
  record["accept_length"] = or_null(report.accept_length);
  record["max_output_tokens_per_s"] = m.peak_output_tokens;
  record["max_concurrent_requests"] = m.peak_concurrency;
  if (report.options.output_details) add_details(record, report);
  return record;
}

Result<std::string> append_record(const ServingReport& report) {
  const std::string name = file_name(report.options);
  std::ofstream file(name, std::ios::app);
  file << to_json(report).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  file.close();
  if (!file) return unavailable("{}: the result could not be written", name);
  return name;
}

}  // namespace tessera::bench::serving
