#include "sampling/sampling_params.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera::sampling {
namespace {

std::string message(SamplingParams params) {
  const Status status = validate(params);
  return status ? "" : status.error().message();
}

TEST(SamplingParams, TheDefaultsAndTheBordersAreValid) {
  EXPECT_TRUE(validate({}));
  EXPECT_TRUE(validate({.temperature = 0.0F, .top_p = 1e-6F, .top_k = 1, .min_p = 1.0F}));
  EXPECT_TRUE(validate({.temperature = 1e30F, .top_p = 1.0F, .top_k = 1 << 30, .min_p = 0.0F}));
}

TEST(SamplingParams, AMessageNamesFieldValueAndRange) {
  EXPECT_EQ(message({.temperature = -0.5F}),
            "temperature=-0.5 is out of range, expected a finite number >= 0");
  EXPECT_EQ(message({.top_p = 0.0F}), "top_p=0 is out of range, expected (0, 1]");
  EXPECT_EQ(message({.top_p = 1.5F}), "top_p=1.5 is out of range, expected (0, 1]");
  EXPECT_EQ(message({.top_k = 0}), "top_k=0 is out of range, expected -1 (all) or >= 1");
  EXPECT_EQ(message({.top_k = -2}), "top_k=-2 is out of range, expected -1 (all) or >= 1");
  EXPECT_EQ(message({.min_p = -0.1F}), "min_p=-0.1 is out of range, expected [0, 1]");
  EXPECT_EQ(message({.min_p = 2.0F}), "min_p=2 is out of range, expected [0, 1]");
}

TEST(SamplingParams, AdjustmentsHaveRanges) {
  EXPECT_EQ(message({.frequency_penalty = 2, .presence_penalty = -2, .repetition_penalty = 2}), "");
  EXPECT_EQ(message({.frequency_penalty = 2.5F}), "frequency_penalty=2.5 is out of range, expected [-2, 2]");
  EXPECT_EQ(message({.presence_penalty = NAN}), "presence_penalty=nan is out of range, expected [-2, 2]");
  EXPECT_EQ(message({.repetition_penalty = 0}), "repetition_penalty=0 is out of range, expected (0, 2]");
  EXPECT_EQ(message({.min_new_tokens = -1}), "min_new_tokens=-1 is negative, expected >= 0");
  EXPECT_EQ(message({.logit_bias = {{3, 1.0F}, {5, -101.0F}}}),
            "logit_bias of token 5 is -101, expected [-100, 100]");
}

TEST(SamplingParams, NanAndInfinityAreRefused) {
  EXPECT_NE(message({.temperature = NAN}), "");
  EXPECT_NE(message({.temperature = INFINITY}), "");
  EXPECT_NE(message({.top_p = NAN}), "");
  EXPECT_NE(message({.min_p = NAN}), "");
}

TEST(SamplingParams, GreedyBelowOneMillionthOrWithTopK1) {
  EXPECT_TRUE((SamplingParams{.temperature = 0.0F}).greedy());
  EXPECT_TRUE((SamplingParams{.temperature = 9e-7F}).greedy());
  EXPECT_TRUE((SamplingParams{.top_k = 1}).greedy());
  EXPECT_FALSE((SamplingParams{.temperature = 1e-5F}).greedy());
}

}  // namespace
}  // namespace tessera::sampling
