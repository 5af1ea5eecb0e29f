#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "sampling/random.h"

namespace tessera::sampling {
namespace {

std::vector<float> random_logits(size_t vocab, uint32_t seed, float deviation = 2.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(vocab);
  for (float& x : logits)
    x = normal(random);
  return logits;
}

/// The distribution by the definition in sampler.h: full sort, double precision.
std::vector<double> reference(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<double> p(logits.size());
  const double max = *std::max_element(logits.begin(), logits.end());
  for (size_t i = 0; i < p.size(); ++i)
    p[i] = std::exp((logits[i] - max) / params.temperature);
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  std::vector<double> kept(p.size(), 0.0);
  double before = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double x = p[order[rank]];
    const bool in_k = params.top_k == -1 || rank < static_cast<size_t>(params.top_k);
    if (in_k && before <= params.top_p * sum && x >= params.min_p) kept[order[rank]] = x;
    before += x;
  }
  const double kept_sum = std::accumulate(kept.begin(), kept.end(), 0.0);
  for (double& x : kept)
    x /= kept_sum;
  return kept;
}

/// Draws and compares by chi-square; cells with fewer than 5 expected draws are joined. The bound is 5
/// standard deviations of the chi-square distribution: the seeds are fixed, so this passes always or never.
void expect_distribution(const std::vector<float>& logits, const SamplingParams& params, uint64_t seed) {
  constexpr int kDraws = 20000;
  const std::vector<double> expected = reference(logits, params);
  std::vector<int> counts(logits.size());
  Sampler sampler;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto token = sampler.sample(logits, params, seed, static_cast<uint64_t>(draw));
    ASSERT_TRUE(token) << token.error().message();
    ++counts[static_cast<size_t>(*token)];
  }
  double chi = 0, rest_expected = 0, rest_count = 0;
  int cells = 0;
  for (size_t token = 0; token < counts.size(); ++token) {
    EXPECT_TRUE(expected[token] > 0 || counts[token] == 0) << "token " << token << " was filtered out";
    const double e = expected[token] * kDraws;
    if (e < 5) {
      rest_expected += e;
      rest_count += counts[token];
      continue;
    }
    chi += (counts[token] - e) * (counts[token] - e) / e;
    ++cells;
  }
  if (rest_expected >= 5) {
    chi += (rest_count - rest_expected) * (rest_count - rest_expected) / rest_expected;
    ++cells;
  }
  const double freedom = std::max(1, cells - 1);
  EXPECT_LT(chi, freedom + 5 * std::sqrt(2 * freedom)) << cells << " cells";
}

TEST(Sampler, FollowsTheSoftmax) {
  for (const size_t vocab : {1, 2, 7, 300, 1000}) {
    expect_distribution(random_logits(vocab, 1), {}, 10);
    expect_distribution(random_logits(vocab, 2), {.temperature = 0.3F}, 11);
    expect_distribution(random_logits(vocab, 3), {.temperature = 5.0F}, 12);
  }
}

TEST(Sampler, FollowsTheFilters) {
  for (const size_t vocab : {2, 40, 700}) {
    const auto logits = random_logits(vocab, 4);
    expect_distribution(logits, {.top_k = 5}, 20);
    expect_distribution(logits, {.top_k = 1000000}, 21);
    expect_distribution(logits, {.top_p = 0.7F}, 22);
    expect_distribution(logits, {.top_p = 0.999F}, 23);
    expect_distribution(logits, {.min_p = 0.1F}, 24);
    expect_distribution(logits, {.temperature = 0.7F, .top_p = 0.9F, .top_k = 20, .min_p = 0.05F}, 25);
    expect_distribution(logits, {.temperature = 3.0F, .top_p = 0.5F, .top_k = 30}, 26);
  }
}

TEST(Sampler, FilteredTokensNeverAppearInManyRandomCases) {
  Sampler sampler;
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const auto logits =
        random_logits(1 + random() % 600, random(), 0.1F + static_cast<float>(random() % 50) / 10);
    SamplingParams params{.temperature = 0.2F + static_cast<float>(random() % 30) / 10};
    if (random() % 2 == 0) params.top_p = static_cast<float>(1 + random() % 99) / 100;
    if (random() % 2 == 0) params.top_k = 1 + static_cast<int32_t>(random() % 50);
    if (random() % 2 == 0) params.min_p = static_cast<float>(random() % 100) / 100;
    const auto expected = reference(logits, params);
    for (uint64_t draw = 0; draw < 20; ++draw) {
      const auto token = static_cast<size_t>(*sampler.sample(logits, params, 6, draw));
      EXPECT_GT(expected[token], 0) << "round " << round << " token " << token;
    }
  }
}

TEST(Sampler, TiesAtTheBorderKeepTheLowerIds) {
  const std::vector<float> logits = {0, 1, 1, 1, 0, 1};
  Sampler sampler;
  std::map<int32_t, int> seen;
  for (uint64_t draw = 0; draw < 200; ++draw)
    ++seen[*sampler.sample(logits, {.top_k = 2}, 1, draw)];
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen.contains(1) && seen.contains(2));
}

TEST(Sampler, TopPKeepsTheTokenThatReachesIt) {
  const std::vector<float> logits = {2, 2, 2, 2};  // mass before: 0, 0.25, 0.5, 0.75
  Sampler sampler;
  const auto distinct = [&](float top_p) {
    std::map<int32_t, int> seen;
    for (uint64_t draw = 0; draw < 200; ++draw)
      ++seen[*sampler.sample(logits, {.top_p = top_p}, 1, draw)];
    return seen.size();
  };
  EXPECT_EQ(distinct(1e-6F), 1U);
  EXPECT_EQ(distinct(0.4F), 2U);
  EXPECT_EQ(distinct(0.5F), 3U);  // SGLang drops when the mass before is *more* than top_p
  EXPECT_EQ(distinct(0.9F), 4U);
}

TEST(Sampler, MinusInfinityIsNeverDrawn) {
  std::vector<float> logits(1000, -INFINITY);
  logits[700] = 1;
  logits[999] = 1;
  Sampler sampler;
  for (const SamplingParams& params :
       {SamplingParams{}, SamplingParams{.top_k = 50}, SamplingParams{.top_p = 0.99F},
        SamplingParams{.temperature = 100.0F, .min_p = 0.5F}}) {
    int last = 0;
    for (uint64_t draw = 0; draw < 300; ++draw) {
      const int32_t token = *sampler.sample(logits, params, 3, draw);
      EXPECT_TRUE(token == 700 || token == 999) << token;
      last += token == 999 ? 1 : 0;
    }
    EXPECT_NEAR(last, 150, 45);
  }
}

TEST(Sampler, GreedyTakesTheLowestIdOfEquals) {
  Sampler sampler;
  const std::vector<float> logits = {-1, 5, 2, 5, -INFINITY};
  EXPECT_EQ(*sampler.sample(logits, {.temperature = 0.0F}, 1, 1), 1);
  EXPECT_EQ(*sampler.sample(logits, {.top_k = 1}, 9, 9), 1);
  EXPECT_EQ(*argmax(std::vector<float>{0.0F, -0.0F}), 0);
  EXPECT_EQ(*argmax(std::vector<float>{-3e38F}), 0);
}

TEST(Sampler, BadRowsAreErrorsThatNameTheToken) {
  Sampler sampler;
  for (const SamplingParams& params : {SamplingParams{.temperature = 0.0F}, SamplingParams{}}) {
    std::vector<float> logits(20, 1.0F);
    logits[17] = NAN;
    auto result = sampler.sample(logits, params, 1, 1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInternal);
    EXPECT_EQ(result.error().message(), "the model's logit of token 17 is nan, expected a finite number");
    logits[17] = INFINITY;
    EXPECT_EQ(sampler.sample(logits, params, 1, 1).error().message(),
              "the model's logit of token 17 is inf, expected a finite number");
    const std::vector<float> none(20, -INFINITY);
    EXPECT_EQ(sampler.sample(none, params, 1, 1).error().message(),
              "all 20 logits are -inf, no token can be drawn");
  }
}

TEST(Sampler, OnlySeedAndPositionDecide) {
  const auto logits = random_logits(500, 8);
  Sampler one, other;
  std::vector<int32_t> first, second;
  for (uint64_t position = 0; position < 50; ++position)
    first.push_back(*one.sample(logits, {}, 42, position));
  for (uint64_t position = 50; position-- > 0;) {
    (void)other.sample(random_logits(900, 9), {.top_k = 3}, 7, position);  // somebody else's row in between
    second.insert(second.begin(), *other.sample(logits, {}, 42, position));
  }
  EXPECT_EQ(first, second);
  std::vector<int32_t> shifted;
  for (uint64_t position = 0; position < 50; ++position)
    shifted.push_back(*one.sample(logits, {}, 43, position));
  EXPECT_NE(first, shifted);
}

TEST(Random, NeighbouringSeedsAreNotShiftedStreams) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (uint64_t position = 0; position < 20; ++position) {
      EXPECT_NE(random_bits(seed, position + 1), random_bits(seed + 1, position));
      EXPECT_LT(random_unit(seed, position), 1.0);
    }
  }
}

TEST(Random, UnitIsUniform) {
  std::vector<int> cells(100);
  for (uint64_t draw = 0; draw < 100000; ++draw)
    ++cells[static_cast<size_t>(random_unit(5, draw) * 100)];
  double chi = 0;
  for (const int count : cells)
    chi += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi, 99 + 5 * std::sqrt(2 * 99.0));
  EXPECT_GT(chi, 99 - 5 * std::sqrt(2 * 99.0));
}

}  // namespace
}  // namespace tessera::sampling
