#include "kernels/rmsnorm/rmsnorm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace scalar {
void rmsnorm(const RmsNormArgs& args);
}
namespace {

using testing::Random;

constexpr float kEps = 1e-5F;

void expect_close(const float* x, const std::vector<float>& w, const float* y, int64_t cols) {
  double squares = 0;
  for (int64_t i = 0; i < cols; ++i)
    squares += double{x[i]} * x[i];
  const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(cols) + double{kEps});
  const double bound = (static_cast<double>(cols) / 16 + 8) * 0x1p-24;
  for (int64_t i = 0; i < cols; ++i) {
    const double expected = x[i] * inverse * w[static_cast<size_t>(i)];
    ASSERT_NEAR(y[i], expected, bound * std::abs(expected)) << "cols=" << cols << " column " << i;
  }
}

TEST(RmsNorm, EveryLengthAndTheSameBitsAsScalar) {
  Random random(1);
  for (int64_t cols = 1; cols <= 133; ++cols) {
    const int64_t stride = cols + 3;
    const std::vector<float> x = random.floats(3 * stride + 1), w = random.floats(cols);
    std::vector<float> y(static_cast<size_t>(3 * stride), 9.0F), scalar_y = y;
    const RmsNormArgs args{x.data() + 1, stride, w.data(), kEps, y.data(), stride, 3, cols};
    rmsnorm(args);
    RmsNormArgs again = args;
    again.y = scalar_y.data();
    scalar::rmsnorm(again);
    EXPECT_TRUE(testing::same_bits(y, scalar_y)) << "cols=" << cols;
    for (int64_t row = 0; row < 3; ++row) {
      expect_close(x.data() + 1 + row * stride, w, y.data() + row * stride, cols);
      for (int64_t i = cols; i < stride; ++i)
        EXPECT_EQ(y[static_cast<size_t>(row * stride + i)], 9.0F);
    }
  }
}

TEST(RmsNorm, ResidualAdditionEqualsTwoSteps) {
  Random random(2);
  for (const int64_t cols : {1, 16, 31, 576}) {
    std::vector<float> h = random.floats(2 * cols), delta = random.floats(2 * cols);
    const std::vector<float> w = random.floats(cols);
    std::vector<float> sum(h.size()), expected(h.size()), y(h.size());
    for (size_t i = 0; i < h.size(); ++i)
      sum[i] = h[i] + delta[i];
    rmsnorm({sum.data(), cols, w.data(), kEps, expected.data(), cols, 2, cols});
    add_rmsnorm({h.data(), cols, delta.data(), cols, w.data(), kEps, y.data(), cols, 2, cols});
    EXPECT_TRUE(testing::same_bits(h, sum)) << cols;
    EXPECT_TRUE(testing::same_bits(y, expected)) << cols;
  }
}

TEST(RmsNorm, InPlaceZeroAndNan) {
  Random random(3);
  std::vector<float> x = random.floats(3 * 20), y(60);
  const std::vector<float> w = random.floats(20);
  std::fill_n(x.begin(), 20, 0.0F);
  x[25] = std::nanf("");
  rmsnorm({x.data(), 20, w.data(), kEps, y.data(), 20, 3, 20});
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(y[i], 0.0F);
    EXPECT_TRUE(std::isnan(y[20 + i]));
    EXPECT_FALSE(std::isnan(y[40 + i]));
  }
  rmsnorm({x.data(), 20, w.data(), kEps, x.data(), 20, 3, 20});
  EXPECT_TRUE(testing::same_bits({x.begin() + 40, x.end()}, {y.begin() + 40, y.end()}));
}

}  // namespace
}  // namespace tessera::kernels
