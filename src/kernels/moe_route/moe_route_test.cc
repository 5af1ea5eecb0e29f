#include "kernels/moe_route/moe_route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace scalar {
void moe_route(const MoeRouteArgs& args);
}
namespace {

using testing::Random;

struct Routes {
  std::vector<int32_t> chosen;
  std::vector<float> weights;
};

Routes route(std::vector<float> logits, int32_t experts, int32_t k, bool normalize,
             void (*run)(const MoeRouteArgs&) = moe_route) {
  const auto rows = static_cast<int64_t>(logits.size()) / experts;
  Routes routes{std::vector<int32_t>(static_cast<size_t>(rows * k), -1),
                std::vector<float>(static_cast<size_t>(rows * k))};
  run({.shares = logits.data(),
       .shares_stride = experts,
       .rows = rows,
       .experts = experts,
       .chosen_per_row = k,
       .normalize = normalize,
       .chosen = routes.chosen.data(),
       .weights = routes.weights.data()});
  return routes;
}

TEST(MoeRoute, AgainstFloat64) {
  Random random(1);
  for (const int32_t experts : {1, 2, 15, 16, 17, 60, 128, 200}) {
    for (const int32_t k : {1, std::min(8, experts), experts}) {
      for (const bool normalize : {false, true}) {
        const auto logits = random.floats(experts, 3.0F);
        const Routes routes = route(logits, experts, k, normalize);
        std::vector<int32_t> order(static_cast<size_t>(experts));
        std::iota(order.begin(), order.end(), 0);
        std::ranges::stable_sort(order, std::greater{},
                                 [&](int32_t e) { return logits[static_cast<size_t>(e)]; });
        const double top = logits[static_cast<size_t>(order[0])];
        double all = 0, kept = 0;
        for (size_t i = 0; i < order.size(); ++i) {
          const double e = std::exp(logits[static_cast<size_t>(order[i])] - top);
          all += e;
          if (i < static_cast<size_t>(k)) kept += e;
        }
        std::vector<int32_t> expected(order.begin(), order.begin() + k);
        std::ranges::sort(expected);
        EXPECT_EQ(routes.chosen, expected) << experts << " experts, " << k;
        for (size_t i = 0; i < expected.size(); ++i) {
          const double logit = logits[static_cast<size_t>(expected[i])] - top;
          const double weight = std::exp(logit) / (normalize ? kept : all);
          EXPECT_NEAR(routes.weights[i], weight, weight * (std::abs(logit) + 8) * 0x1p-23);
        }
        const Routes plain = route(logits, experts, k, normalize, scalar::moe_route);
        EXPECT_EQ(plain.chosen, routes.chosen);
        EXPECT_TRUE(testing::same_bits(plain.weights, routes.weights));
      }
    }
  }
}

TEST(MoeRoute, TheLowestIndexWinsTies) {
  EXPECT_EQ(route({1, 2, 1, 2, 1}, 5, 3, false).chosen, (std::vector<int32_t>{0, 1, 3}));
  const Routes equal = route(std::vector<float>(40, 0.5F), 40, 4, true);
  EXPECT_EQ(equal.chosen, (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(equal.weights, std::vector<float>(4, 0.25F));
  // Logits that differ but whose shares do not: both are 0.
  EXPECT_EQ(route({-200, 0, -150}, 3, 2, false).chosen, (std::vector<int32_t>{0, 1}));
}

TEST(MoeRoute, RowsThatAreNoNumbersChooseTheFirstExperts) {
  Random random(1);
  for (const float bad : {std::nanf(""), INFINITY}) {
    for (const size_t at : {0U, 7U, 16U, 19U}) {
      auto logits = random.floats(60);
      const Routes clean = route(logits, 20, 3, true);
      logits[20 + at] = bad;
      const Routes routes = route(logits, 20, 3, true);
      EXPECT_EQ(std::vector<int32_t>(routes.chosen.begin() + 3, routes.chosen.begin() + 6),
                (std::vector<int32_t>{0, 1, 2}));
      for (size_t i = 0; i < 9; ++i) {
        if (i / 3 == 1) {
          EXPECT_TRUE(std::isnan(routes.weights[i]));
        } else {
          EXPECT_EQ(routes.chosen[i], clean.chosen[i]);
          EXPECT_EQ(routes.weights[i], clean.weights[i]);
        }
      }
    }
  }
  EXPECT_TRUE(std::isnan(route(std::vector<float>(20, -INFINITY), 20, 3, true).weights[0]));
  auto masked = std::vector<float>(20, -INFINITY);
  masked[9] = 1;
  EXPECT_EQ(route(masked, 20, 1, false).chosen[0], 9);
  EXPECT_EQ(route(masked, 20, 1, false).weights[0], 1.0F);
}

}  // namespace
}  // namespace tessera::kernels
