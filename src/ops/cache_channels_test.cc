#include "ops/cache_channels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tessera::ops {
namespace {

constexpr int64_t kKeyHeads = 2, kQueryHeads = 6, kDim = 8, kTokens = 5;

std::vector<float> numbers(int64_t count, float low, float high, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values)
    value = uniform(random);
  return values;
}

MatrixView<float> matrix(std::vector<float>& values, int64_t rows) {
  const int64_t cols = static_cast<int64_t>(values.size()) / rows;
  return {values.data(), rows, cols, cols};
}

quant::CacheScales some_scales(unsigned seed) {
  quant::CacheScales scales{.scales = numbers(kKeyHeads * kDim, .01F, .3F, seed),
                            .offsets = numbers(kKeyHeads * kDim, -100, 100, seed + 1)};
  for (float& offset : scales.offsets)
    offset = std::nearbyint(offset);
  return scales;
}

double stored(const std::vector<float>& codes, const quant::CacheScales& scales, int64_t token,
              int64_t channel) {
  const auto at = static_cast<size_t>(channel);
  return (double{codes[static_cast<size_t>(token * kKeyHeads * kDim + channel)]} - scales.offsets[at]) *
         scales.scales[at];
}

// What the kernels compute on codes, against attention over the numbers that the codes stand for.
TEST(CacheChannels, ScoresDifferByAConstantAndMeansNotAtAll) {
  const quant::CacheScales keys = some_scales(1), values = some_scales(3);
  auto k = numbers(kTokens * kKeyHeads * kDim, -1, 1, 5), v = numbers(kTokens * kKeyHeads * kDim, -1, 1, 6);
  const auto queries = numbers(kQueryHeads * kDim, -2, 2, 7);
  auto scaled = queries;
  to_cache_codes(keys, matrix(k, kTokens));
  to_cache_codes(values, matrix(v, kTokens));
  scale_queries(keys, kDim, matrix(scaled, 1));
  std::vector<float> means(queries.size());
  for (int64_t head = 0; head < kQueryHeads; ++head) {
    const int64_t channel = head / (kQueryHeads / kKeyHeads) * kDim;
    double shift = 0;
    for (int64_t token = 0; token < kTokens; ++token) {
      double on_codes = 0, on_numbers = 0;
      for (int64_t d = 0; d < kDim; ++d) {
        const auto q = static_cast<size_t>(head * kDim + d);
        const auto code = static_cast<size_t>(token * kKeyHeads * kDim + channel + d);
        on_codes += double{scaled[q]} * k[code];
        on_numbers += queries[q] * stored(k, keys, token, channel + d);
        means[q] += v[code] / kTokens;
      }
      if (token == 0) shift = on_codes - on_numbers;
      EXPECT_NEAR(on_codes - on_numbers, shift, 1e-4) << "head " << head << ", token " << token;
    }
  }
  from_cache_codes(values, kDim, matrix(means, 1));
  for (int64_t head = 0; head < kQueryHeads; ++head) {
    for (int64_t d = 0; d < kDim; ++d) {
      double mean = 0;
      for (int64_t token = 0; token < kTokens; ++token)
        mean += stored(v, values, token, head / (kQueryHeads / kKeyHeads) * kDim + d) / kTokens;
      EXPECT_NEAR(means[static_cast<size_t>(head * kDim + d)], mean, 1e-4) << "head " << head;
    }
  }
}

}  // namespace
}  // namespace tessera::ops
