#include "sampling/weight_cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace tessera::sampling {
namespace {

/// By the definition: a stable sort.
Cut reference(std::span<const float> weights, int64_t most, double mass_limit) {
  std::vector<float> order(weights.begin(), weights.end());
  std::ranges::stable_sort(order, std::greater<>());
  Cut cut;
  for (size_t rank = 0; rank < order.size() && static_cast<int64_t>(rank) < most && cut.mass <= mass_limit;
       ++rank) {
    cut.ties = order[rank] == cut.weight ? cut.ties + 1 : 1;
    cut.weight = order[rank];
    cut.mass += static_cast<double>(order[rank]);
  }
  return cut;
}

int64_t stay(std::span<const float> weights, const Cut& cut) {
  const auto above = std::ranges::count_if(weights, [&](float w) { return w > cut.weight; });
  return above + cut.ties;
}

TEST(WeightCut, EqualsAStableSort) {
  std::mt19937 random(1);
  WeightCut cutter;
  for (int round = 0; round < 400; ++round) {
    std::vector<float> weights(1 + random() % 3000);
    const uint32_t steps =
        1U << (1 + random() % 12);  // few steps: many ties; multiples of 2^-12 add up exactly
    for (float& weight : weights)
      weight = static_cast<float>(1 + random() % steps) / static_cast<float>(steps);
    const double mass = std::accumulate(weights.begin(), weights.end(), 0.0);
    const int64_t most = random() % 2 == 0 ? 1 + static_cast<int64_t>(random() % (weights.size() + 5))
                                           : std::numeric_limits<int64_t>::max();
    const double limit = random() % 3 == 0 ? INFINITY : mass * static_cast<double>(random() % 1024) / 1023;
    const Cut cut = cutter.find(weights, most, limit), expected = reference(weights, most, limit);
    EXPECT_EQ(cut.mass, expected.mass) << round;
    EXPECT_EQ(stay(weights, cut), stay(weights, expected)) << round;
    EXPECT_EQ(cut.weight, expected.weight) << round;
    EXPECT_EQ(cut.ties, expected.ties) << round;
  }
}

TEST(WeightCut, NeighbouringFloatsAreTold) {
  WeightCut cutter;
  const float low = 0.7F, high = std::nextafter(low, 1.0F);
  const std::vector<float> weights = {low, high, low, 1.0F, high};
  const Cut two = cutter.find(weights, 2, INFINITY);
  EXPECT_EQ(two.weight, high);
  EXPECT_EQ(two.ties, 1);
  const Cut four = cutter.find(weights, 4, INFINITY);
  EXPECT_EQ(four.weight, low);
  EXPECT_EQ(four.ties, 1);
}

TEST(WeightCut, TheBestAlwaysStays) {
  WeightCut cutter;
  const std::vector<float> weights = {1.0F, 1.0F, 0x1p-126F};
  EXPECT_EQ(cutter.find(weights, 1, INFINITY).ties, 1);
  EXPECT_EQ(cutter.find(weights, 9, 0.0).ties, 1);
  EXPECT_EQ(stay(weights, cutter.find(weights, 3, INFINITY)), 3);
}

}  // namespace
}  // namespace tessera::sampling
