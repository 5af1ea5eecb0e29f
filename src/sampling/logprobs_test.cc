#include "sampling/logprobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tessera::sampling {
namespace {

TEST(Logprobs, AreTheLogarithmsOfTheSoftmax) {
  const std::vector<float> logits = {1, 3, -INFINITY, 3, 0};
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit));
  const auto expected = [&](int32_t token) {
    return testing::FloatNear(
        static_cast<float>(static_cast<double>(logits[static_cast<size_t>(token)]) - std::log(sum)), 1e-6F);
  };
  const auto got = logprobs_of(logits, 4, {.top = 3, .tokens = {0, 2}});
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->token.token, 4);
  EXPECT_THAT(got->token.logprob, expected(4));
  ASSERT_EQ(got->top.size(), 3U);
  EXPECT_EQ(got->top[0].token, 1) << "equal ones by id";
  EXPECT_EQ(got->top[1].token, 3);
  EXPECT_EQ(got->top[2].token, 0);
  EXPECT_THAT(got->top[1].logprob, expected(3));
  EXPECT_THAT(got->chosen[0].logprob, expected(0));
  EXPECT_EQ(got->chosen[1].logprob, -INFINITY);
}

TEST(Logprobs, MoreThanThereAreAreAll) {
  EXPECT_EQ(logprobs_of(std::vector<float>{1, 2}, 0, {.top = 20})->top.size(), 2U);
}

TEST(Logprobs, ABadRowIsAnError) {
  EXPECT_FALSE(logprobs_of(std::vector<float>{1, NAN}, 0, {}).has_value());
}

}  // namespace
}  // namespace tessera::sampling
