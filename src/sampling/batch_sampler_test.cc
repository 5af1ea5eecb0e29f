#include "sampling/batch_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tessera::sampling {
namespace {

std::vector<float> random_logits(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(count);
  for (float& x : logits)
    x = normal(random);
  return logits;
}

TEST(BatchSampler, EveryRowIsDrawnAsAlone) {
  constexpr size_t kVocab = 1000, kRows = 37;
  const std::vector<SamplingParams> params = {{.temperature = 0},
                                              {},
                                              {.top_k = 7},
                                              {.top_p = 0.9F},
                                              {.temperature = 0.7F, .top_p = 0.8F, .top_k = 20}};
  const std::vector<float> logits = random_logits(kVocab * kRows, 1);
  std::vector<Draw> draws;
  std::vector<int32_t> expected;
  Sampler alone;
  for (size_t row = 0; row < kRows; ++row) {
    const std::span one(logits.data() + row * kVocab, kVocab);
    draws.push_back(
        {.logits = one, .params = &params[row % params.size()], .seed = row, .position = row * 3});
    expected.push_back(*alone.sample(one, params[row % params.size()], row, row * 3));
  }
  BatchSampler sampler;
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      const auto results = sampler.sample(draws, pool);
      ASSERT_EQ(results.size(), kRows);
      for (size_t row = 0; row < kRows; ++row)
        EXPECT_EQ(*results[row], expected[row]) << threads << " threads, row " << row;
    }
    EXPECT_TRUE(sampler.sample({}, pool).empty());
  }
}

TEST(BatchSampler, ABadRowFailsAlone) {
  std::vector<float> good(50, 1.0F), bad = good;
  bad[7] = NAN;
  const SamplingParams params{.temperature = 0};
  const std::vector<Draw> draws = {{good, &params, 1, 1}, {bad, &params, 1, 1}, {good, &params, 1, 1}};
  ThreadPool pool(2);
  BatchSampler sampler;
  const auto results = sampler.sample(draws, pool);
  EXPECT_EQ(*results[0], 0);
  ASSERT_FALSE(results[1].has_value());
  EXPECT_NE(results[1].error().message().find("token 7"), std::string::npos);
  EXPECT_EQ(*results[2], 0);
}

}  // namespace
}  // namespace tessera::sampling
