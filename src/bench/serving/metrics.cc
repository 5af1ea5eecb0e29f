#include "bench/serving/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace tessera::bench::serving {
namespace {

/// numpy.percentile of an ascending sample.
double percentile(std::span<const double> sorted, double percent) {
  const double place = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

Result<size_t> count_tokens(const text::Tokenizer& tokenizer, const std::string& text) {
  return TRY(tokenizer.encode(text, false)).size();
}

/// The gaps of an answer, each split over the tokens of its text.
Status append_split(const Outcome& outcome, const text::Tokenizer& tokenizer, std::vector<double>& itls) {
  for (size_t i = 0; i < outcome.itls_s.size() && i < outcome.chunks.size(); ++i) {
    const size_t tokens = std::max<size_t>(TRY(count_tokens(tokenizer, outcome.chunks[i])), 1);
    itls.insert(itls.end(), tokens, outcome.itls_s[i] / static_cast<double>(tokens));
  }
  return {};
}

/// Tokens and requests in each second since the first request was sent.
void find_peaks(std::span<const Outcome> outcomes, Metrics& metrics) {
  double begin = std::numeric_limits<double>::infinity(), end = 0;
  for (const Outcome& one : outcomes) {
    if (!one.success) continue;
    begin = std::min(begin, one.start_s);
    end = std::max(end, one.start_s + one.latency_s);
  }
  if (metrics.completed == 0) return;
  const auto seconds = static_cast<size_t>(std::ceil(end - begin)) + 1;
  std::vector<int64_t> tokens(seconds), requests(seconds);
  for (const Outcome& one : outcomes) {
    if (!one.success) continue;
    double at = one.start_s + one.ttft_s - begin;
    const auto count = [&] { ++tokens[std::min(static_cast<size_t>(at), seconds - 1)]; };
    count();
    for (const double gap : one.itls_s) {
      at += gap;
      count();
    }
    const auto last = static_cast<size_t>(one.start_s + one.latency_s - begin);
    for (auto second = static_cast<size_t>(one.start_s - begin); second <= std::min(last, seconds - 1);
         ++second)
      ++requests[second];
  }
  metrics.peak_output_tokens = static_cast<double>(*std::max_element(tokens.begin(), tokens.end()));
  metrics.peak_concurrency = *std::max_element(requests.begin(), requests.end());
}

void set_rates(double latency_sum_s, Metrics& metrics) {
  const auto per_second = [&](int64_t count) { return static_cast<double>(count) / metrics.duration_s; };
  metrics.requests_per_s = per_second(metrics.completed);
  metrics.input_tokens_per_s = per_second(metrics.input_tokens);
  metrics.output_tokens_per_s = per_second(metrics.output_tokens);
  metrics.total_tokens_per_s = per_second(metrics.input_tokens + metrics.output_tokens);
  metrics.concurrency = latency_sum_s / metrics.duration_s;
}

}  // namespace

Spread spread_of(std::vector<double> sample) {
  if (sample.empty()) return {};
  std::sort(sample.begin(), sample.end());
  const auto count = static_cast<double>(sample.size());
  Spread spread;
  spread.mean = std::accumulate(sample.begin(), sample.end(), 0.0) / count;
  double squares = 0;
  for (const double value : sample)
    squares += (value - spread.mean) * (value - spread.mean);
  spread.std = std::sqrt(squares / count);
  spread.median = percentile(sample, 50);
  spread.p90 = percentile(sample, 90);
  spread.p95 = percentile(sample, 95);
  spread.p99 = percentile(sample, 99);
  spread.max = sample.back();
  return spread;
}

Result<Metrics> compute_metrics(std::span<const Prompt> prompts, std::span<const Outcome> outcomes,
                                double duration_s, const text::Tokenizer& tokenizer, bool by_token) {
  Metrics metrics;
  metrics.duration_s = duration_s;
  std::vector<double> latencies, ttfts, tpots, itls;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& one = outcomes[i];
    if (!one.success) continue;
    ++metrics.completed;
    metrics.input_tokens += prompts[i].input_tokens;
    metrics.output_tokens += one.output_tokens;
    metrics.retokenized_output_tokens += static_cast<int64_t>(TRY(count_tokens(tokenizer, one.text)));
    latencies.push_back(one.latency_s);
    ttfts.push_back(one.ttft_s);
    if (one.output_tokens > 1) {
      tpots.push_back((one.latency_s - one.ttft_s) / static_cast<double>(one.output_tokens - 1));
    }
    if (by_token) {
      TRY_STATUS(append_split(one, tokenizer, itls));
    } else {
      itls.insert(itls.end(), one.itls_s.begin(), one.itls_s.end());
    }
  }
  set_rates(std::accumulate(latencies.begin(), latencies.end(), 0.0), metrics);
  find_peaks(outcomes, metrics);
  metrics.latency_s = spread_of(std::move(latencies));
  metrics.ttft_s = spread_of(std::move(ttfts));
  metrics.tpot_s = spread_of(std::move(tpots));
  metrics.itl_s = spread_of(std::move(itls));
  return metrics;
}

}  // namespace tessera::bench::serving
