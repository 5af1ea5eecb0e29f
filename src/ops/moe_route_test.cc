#include "ops/moe_route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace tessera::ops {
namespace {

TEST(MoeRouter, SortsVisitsByExpert) {
  // Two of four experts for each of three rows.
  std::vector<float> logits = {0,  3, 1,  2,  //
                               5,  5, 0,  0,  //
                               -1, 2, -1, 0};
  ThreadPool pool(2);
  MoeRouter router;
  const Visits& visits = router.route({logits.data(), 3, 4}, {.chosen_per_row = 2, .normalize = true}, pool);
  EXPECT_EQ(visits.first, (std::vector<int32_t>{0, 1, 4, 4, 6}));
  EXPECT_EQ(visits.rows, (std::vector<int32_t>{1, 0, 1, 2, 0, 2}));
  EXPECT_EQ(visits.count(1), 3);
  EXPECT_EQ(visits.rows_of(2).size(), 0U);
  EXPECT_FLOAT_EQ(visits.weights[0], 0.5F);
  EXPECT_FLOAT_EQ(visits.weights_of(1)[0], 1 / (1 + std::exp(-1.0F)));
  EXPECT_FLOAT_EQ(visits.weights_of(3)[1], 1 / (1 + std::exp(2.0F)));
}

TEST(MoeRouter, SameForAnyNumberOfThreads) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> logits(300 * 128);
  for (float& logit : logits)
    logit = normal(random);
  std::vector<Visits> results;
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    MoeRouter router;
    auto copy = logits;
    results.push_back(router.route({copy.data(), 300, 128}, {.chosen_per_row = 8}, pool));
    EXPECT_EQ(results.back().first.back(), 300 * 8);
    for (int64_t expert = 0; expert < 128; ++expert)
      EXPECT_TRUE(std::ranges::is_sorted(results.back().rows_of(expert)));
    EXPECT_EQ(results.back().rows, results.front().rows);
    EXPECT_EQ(results.back().weights, results.front().weights);
  }
}

}  // namespace
}  // namespace tessera::ops
