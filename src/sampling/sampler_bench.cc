// Measures Sampler on rows of 151,936 logits (Qwen3), cold and over several kinds of requests. Prints the
// median time of a row and, as a measure of the machine, how many times the plain sum of the row it takes.
//
//   sampler_bench [rounds]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "sampling/batch_sampler.h"

namespace tessera::sampling {
namespace {

constexpr size_t kVocab = 151936;
constexpr size_t kRows = 64;

struct Case {
  const char* name;
  SamplingParams params;
};
const Case kCases[] = {
    {"greedy", {.temperature = 0}},
    {"temperature 1", {}},
    {"top_k 50", {.top_k = 50}},
    {"top_p 0.95", {.top_p = 0.95F}},
    {"min_p 0.05", {.min_p = 0.05F}},
    {"top_k 20, top_p 0.8, t 0.7", {.temperature = 0.7F, .top_p = 0.8F, .top_k = 20}},
    {"top_k 100000, top_p 0.999", {.top_p = 0.999F, .top_k = 100000}},
};

std::vector<float> rows(float spread) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(kRows * kVocab);
  for (float& logit : logits)
    logit = normal(random);
  return logits;
}

template <class Body>
double milliseconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

/// Milliseconds of a batch of kRows.
double batch_ms(const std::vector<float>& logits, const SamplingParams& params, ThreadPool& pool,
                int rounds) {
  std::vector<Draw> draws;
  for (size_t row = 0; row < kRows; ++row)
    draws.push_back({{logits.data() + row * kVocab, kVocab}, &params, row, 0});
  BatchSampler sampler;
  std::vector<double> ms;
  for (int round = 0; round < rounds; ++round)
    ms.push_back(milliseconds([&] { (void)sampler.sample(draws, pool); }));
  return median(ms);
}

void measure(const char* kind, float spread, int rounds) {
  const std::vector<float> logits = rows(spread);
  Sampler sampler;
  std::printf("%s\n", kind);
  double sink = 0;
  ThreadPool alone(1), all(default_thread_count());
  for (const Case& c : kCases) {
    std::vector<double> sample_ms, sum_ms;
    for (int round = 0; round < rounds; ++round) {
      for (size_t row = 0; row < kRows; ++row) {
        const std::span<const float> one(logits.data() + row * kVocab, kVocab);
        sample_ms.push_back(milliseconds([&] { sink += *sampler.sample(one, c.params, row, 0); }));
        sum_ms.push_back(milliseconds([&] { sink += std::accumulate(one.begin(), one.end(), 0.0F); }));
      }
    }
    std::printf("  %-28s %7.3f ms  %6.2f sums; 64 rows: %6.2f ms, on %d threads %6.2f ms\n", c.name,
                median(sample_ms), median(sample_ms) / median(sum_ms),
                batch_ms(logits, c.params, alone, rounds), all.size(),
                batch_ms(logits, c.params, all, rounds));
  }
  if (sink == 0.5) std::printf("\n");  // the results are used
}

}  // namespace
}  // namespace tessera::sampling

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  tessera::sampling::measure("peaked rows (logits of standard deviation 3)", 3, rounds);
  tessera::sampling::measure("flat rows (0.1)", 0.1F, rounds);
}
