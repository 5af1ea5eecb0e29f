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
        EXPECT_EQ(results[row]->tokens, std::vector{expected[row]}) << threads << " threads, row " << row;
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
  EXPECT_EQ(results[0]->tokens, std::vector{0});
  ASSERT_FALSE(results[1].has_value());
  EXPECT_NE(results[1].error().message().find("token 7"), std::string::npos);
  EXPECT_EQ(results[2]->tokens, std::vector{0});
}

/// One row per position of an answer, as if the model did not mind what stands before.
class Rows {
 public:
  static constexpr size_t kVocab = 200, kRows = 6;
  std::span<const float> row(size_t at) const { return std::span(logits_).subspan(at * kVocab, kVocab); }
  std::span<const float> all() const { return logits_; }
  Drawn draw(const Draw& draw) {
    const auto results = sampler_.sample(std::span(&draw, 1), pool_);
    EXPECT_TRUE(results[0].has_value());
    return *results[0];
  }

 private:
  std::vector<float> logits_ = random_logits(kVocab * kRows, 3);
  ThreadPool pool_{2};
  BatchSampler sampler_;
};

TEST(BatchSampler, DraftsChangeNoToken) {
  Rows rows;
  for (const SamplingParams& params : {SamplingParams{.temperature = 0}, SamplingParams{.top_k = 9},
                                       SamplingParams{.frequency_penalty = 2, .repetition_penalty = 1.5F}}) {
    std::vector<int32_t> expected;
    TokenCounts alone;
    for (size_t at = 0; at < Rows::kRows; ++at) {
      const Draw draw{
          .logits = rows.row(at), .params = &params, .seed = 5, .position = 10 + at, .counts = &alone};
      expected.push_back(rows.draw(draw).tokens.front());
    }
    for (size_t right = 0; right < Rows::kRows; ++right) {
      std::vector<int32_t> drafts(expected.begin(), expected.end() - 1);
      if (right < drafts.size()) drafts[right] = (drafts[right] + 1) % static_cast<int32_t>(Rows::kVocab);
      TokenCounts counts;
      const Draw draw{.logits = rows.all(),
                      .params = &params,
                      .seed = 5,
                      .position = 10,
                      .drafts = drafts,
                      .counts = &counts};
      const auto most = static_cast<ptrdiff_t>(std::min(right + 1, Rows::kRows));
      EXPECT_EQ(rows.draw(draw).tokens, std::vector(expected.begin(), expected.begin() + most));
    }
  }
}

TEST(BatchSampler, StopTokensWaitForTheLeastLength) {
  Rows rows;
  const SamplingParams params{.temperature = 0, .min_new_tokens = 2};
  const std::vector<int32_t> best = {*argmax(rows.row(0))};
  const auto at = [&](uint64_t position) {
    return rows.draw({.logits = rows.row(0), .params = &params, .position = position, .forbidden = best})
        .tokens.front();
  };
  EXPECT_NE(at(0), best[0]);
  EXPECT_NE(at(1), best[0]);
  EXPECT_EQ(at(2), best[0]);
}

TEST(BatchSampler, LogprobsAreOfTheModelsOwnDistribution) {
  Rows rows;
  SamplingParams params{.temperature = 0};
  const int32_t best = *argmax(rows.row(0));
  params.logit_bias = {{best, -100.0F}};
  const LogprobRequest wanted{.top = 2, .tokens = {best}};
  const Drawn drawn = rows.draw({.logits = rows.row(0), .params = &params, .logprobs = &wanted});
  ASSERT_EQ(drawn.logprobs.size(), 1U);
  EXPECT_NE(drawn.tokens[0], best);
  EXPECT_EQ(drawn.logprobs[0].top[0].token, best);
  EXPECT_EQ(drawn.logprobs[0].top[1].token, drawn.tokens[0]);
  EXPECT_EQ(drawn.logprobs[0].chosen[0].logprob, drawn.logprobs[0].top[0].logprob);

  const std::vector<int32_t> known = {7, 8};
  const Drawn given = rows.draw(
      {.logits = rows.all().first(2 * Rows::kVocab), .params = &params, .known = known, .logprobs = &wanted});
  EXPECT_TRUE(given.tokens.empty());
  ASSERT_EQ(given.logprobs.size(), 2U);
  EXPECT_EQ(given.logprobs[1].token.token, 8);
}

}  // namespace
}  // namespace tessera::sampling
