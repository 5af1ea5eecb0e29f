// The figures of a run, by the definitions of SGLang's bench_serving (percentiles as numpy's, linear between
// neighbours). Requests that failed count for nothing. Pure arithmetic.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/serving/answer.h"
#include "text/tokenizer.h"

namespace tessera::bench::serving {

/// Of a sample; all 0 of an empty one.
struct Spread {
  double mean = 0, median = 0, std = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};
Spread spread_of(std::vector<double> sample);

struct Metrics {
  int64_t completed = 0;
  int64_t input_tokens = 0, output_tokens = 0, retokenized_output_tokens = 0;
  double duration_s = 0;
  double requests_per_s = 0, input_tokens_per_s = 0, output_tokens_per_s = 0, total_tokens_per_s = 0;
  double concurrency = 0;         // sum of latencies over the duration
  double peak_output_tokens = 0;  // in one second
  int64_t peak_concurrency = 0;   // requests that touch the same second
  Spread latency_s, ttft_s;
  Spread tpot_s;  // per token after the first, one figure per request: (latency - ttft) / (tokens - 1)
  Spread itl_s;   // gaps between texts, one figure per token
};

/// `outcomes[i]` answers `prompts[i]`. `by_token`: gaps of OpenAI's protocols are split over the tokens of
/// their texts (servers that guess send several at once).
Result<Metrics> compute_metrics(std::span<const Prompt> prompts, std::span<const Outcome> outcomes,
                                double duration_s, const text::Tokenizer& tokenizer, bool by_token);

}  // namespace tessera::bench::serving
