#include "sampling/logit_adjust.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera::sampling {
namespace {

std::vector<float> adjusted(const SamplingParams& params, const TokenCounts* counts,
                            std::vector<float> logits, std::vector<int32_t> forbidden = {}) {
  adjust_logits(params, counts, forbidden, logits);
  return logits;
}

TEST(LogitAdjust, PenaltiesByWhereATokenWas) {
  TokenCounts counts;
  counts.add_prompt(std::vector<int32_t>{0, 1, 1});
  for (const int32_t token : {1, 2, 2})
    counts.add(token);
  const std::vector<float> logits = {4, -4, 4, 4};
  EXPECT_EQ(adjusted({.repetition_penalty = 2}, &counts, logits), (std::vector<float>{2, -8, 2, 4}));
  EXPECT_EQ(adjusted({.frequency_penalty = 0.5F}, &counts, logits), (std::vector<float>{4, -4.5F, 3, 4}))
      << "the answer's tokens alone, the prompt has token 1 twice";
  EXPECT_EQ(adjusted({.presence_penalty = -1}, &counts, logits), (std::vector<float>{4, -3, 5, 4}));
}

TEST(LogitAdjust, BiasesComeAfterAndStopsLast) {
  TokenCounts counts;
  counts.add(0);
  const SamplingParams params{.repetition_penalty = 2, .logit_bias = {{0, 1.0F}, {2, 100.0F}}};
  EXPECT_EQ(adjusted(params, &counts, {4, 4, 4}, {2}), (std::vector<float>{3, 4, -INFINITY}));
}

}  // namespace
}  // namespace tessera::sampling
