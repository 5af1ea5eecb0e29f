#include "kernels/silu_mul/silu_mul.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace scalar {
void silu_mul(const SiluMulArgs& args);
}
namespace {

using testing::Random;

TEST(SiluMul, AccuracyOverTheWholeRange) {
  const int64_t count = 200000;
  std::vector<float> gate(count), up(count, 1.0F), y(count), scalar_y(count);
  for (int64_t i = 0; i < count; ++i)
    gate[static_cast<size_t>(i)] = -88.0F + 176.0F * static_cast<float>(i) / static_cast<float>(count - 1);
  silu_mul({gate.data(), count, up.data(), count, y.data(), count, 1, count});
  scalar::silu_mul({gate.data(), count, up.data(), count, scalar_y.data(), count, 1, count});
  EXPECT_TRUE(testing::same_bits(y, scalar_y));
  double worst = 0;
  for (size_t i = 0; i < gate.size(); ++i) {
    const double expected = gate[i] / (1.0 + std::exp(-double{gate[i]}));
    if (expected != 0) worst = std::max(worst, std::abs((y[i] - expected) / expected));
  }
  RecordProperty("worst_relative_error_in_2^-24", std::to_string(worst * 0x1p24));
  EXPECT_LE(worst, 4 * 0x1p-24);
}

TEST(SiluMul, EveryLengthStridesAndInPlace) {
  Random random(1);
  for (int64_t cols = 1; cols <= 70; ++cols) {
    const int64_t stride = cols + 1;
    std::vector<float> gate = random.floats(2 * stride, 4.0F);
    const std::vector<float> up = random.floats(2 * stride);
    std::vector<float> y(static_cast<size_t>(2 * stride), 3.0F);
    silu_mul({gate.data(), stride, up.data(), stride, y.data(), stride, 2, cols});
    for (int64_t i = 0; i < 2 * stride; ++i) {
      const auto at = static_cast<size_t>(i);
      const double expected = gate[at] / (1.0 + std::exp(-double{gate[at]})) * up[at];
      if (i % stride == cols) {
        EXPECT_EQ(y[at], 3.0F);
      } else {
        EXPECT_NEAR(y[at], expected, 5 * 0x1p-24 * std::abs(expected)) << "cols=" << cols;
      }
    }
    silu_mul({gate.data(), stride, up.data(), stride, gate.data(), stride, 2, cols});
    for (int64_t i = 0; i < 2 * stride; ++i) {
      if (i % stride != cols) {
        EXPECT_EQ(gate[static_cast<size_t>(i)], y[static_cast<size_t>(i)]);
      }
    }
  }
}

TEST(SiluMul, Limits) {
  const std::vector<float> gate = {-INFINITY, -1e30F, -89.0F, 0.0F, INFINITY, 1e30F, std::nanf("")};
  const std::vector<float> up(gate.size(), 2.0F);
  std::vector<float> y(gate.size());
  silu_mul({gate.data(), 7, up.data(), 7, y.data(), 7, 1, 7});
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(y[i], 0.0F) << i;
  EXPECT_EQ(y[4], INFINITY);
  EXPECT_EQ(y[5], 2e30F);
  EXPECT_TRUE(std::isnan(y[6]));
}

}  // namespace
}  // namespace tessera::kernels
