#include "kernels/softmax/softmax.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace scalar {
void softmax_weights(const SoftmaxArgs& args);
}
namespace {

using testing::Random;

TEST(Softmax, ExtentOfEveryLengthAndPlace) {
  EXPECT_EQ(row_extent(nullptr, 0).max, -INFINITY);
  Random random(1);
  for (int64_t n = 1; n <= 133; ++n) {
    const std::vector<float> row = random.floats(n + 1, 8);
    for (size_t at = 1; at < row.size(); ++at) {
      const auto with = [&](float x) {
        std::vector<float> changed = row;
        changed[at] = x;
        return row_extent(changed.data() + 1, n);
      };
      EXPECT_EQ(with(100).max, 100.0F) << n << " " << at;
      EXPECT_FALSE(with(100).bad);
      EXPECT_FALSE(with(-INFINITY).bad);
      EXPECT_TRUE(with(NAN).bad) << n << " " << at;
      EXPECT_TRUE(with(INFINITY).bad) << n << " " << at;
    }
  }
}

TEST(Softmax, ExtentOfRowsOfOneKind) {
  const std::vector<float> none(40, -INFINITY), nan(40, NAN);
  EXPECT_EQ(row_extent(none.data(), 40).max, -INFINITY);
  EXPECT_FALSE(row_extent(none.data(), 40).bad);
  EXPECT_EQ(row_extent(nan.data(), 40).max, -INFINITY);
  EXPECT_TRUE(row_extent(nan.data(), 40).bad);
}

struct Outputs {
  explicit Outputs(int64_t n)
      : weights(static_cast<size_t>(n + 1), 7.0F),
        sums(static_cast<size_t>((n + kSoftmaxBlock - 1) / kSoftmaxBlock)),
        maxes(sums.size()) {}
  SoftmaxArgs args(const float* x, int64_t n, float max, float inverse_temperature) {
    return {x, n, max, inverse_temperature, weights.data(), sums.data(), maxes.data()};
  }
  std::vector<float> weights;
  std::vector<double> sums;
  std::vector<float> maxes;
};

TEST(Softmax, WeightsAgainstDoubleAndTheSameBitsAsScalar) {
  Random random(2);
  for (const int64_t n : {1, 3, 15, 16, 17, 31, 255, 256, 257, 511, 1000}) {
    const std::vector<float> row = random.floats(n + 1, 8);
    const float max = row_extent(row.data() + 1, n).max;
    for (const float inverse_temperature : {0.5F, 1.0F, 20.0F}) {
      Outputs out(n), reference(n);
      softmax_weights(out.args(row.data() + 1, n, max, inverse_temperature));
      scalar::softmax_weights(reference.args(row.data() + 1, n, max, inverse_temperature));
      EXPECT_TRUE(testing::same_bits(out.weights, reference.weights)) << n;
      EXPECT_TRUE(testing::same_bits(out.maxes, reference.maxes)) << n;
      EXPECT_EQ(out.sums, reference.sums) << n;
      EXPECT_EQ(out.weights.back(), 7.0F);
      double sum = 0, most = 0;
      for (int64_t i = 0; i < n; ++i) {
        const float exponent = (row[static_cast<size_t>(i + 1)] - max) * inverse_temperature;
        const double w = double{out.weights[static_cast<size_t>(i)]};
        const double exact = exponent < -87 ? 0.0 : std::exp(double{exponent});
        EXPECT_NEAR(w, exact, exact * 0x1p-23) << exponent;
        sum += w;
        most = std::max(most, w);
        if (i + 1 == n || (i + 1) % kSoftmaxBlock == 0) {
          const auto block = static_cast<size_t>(i / kSoftmaxBlock);
          // Each of 16 lanes adds at most 16 floats, then four more additions.
          EXPECT_NEAR(out.sums[block], sum, sum * 20 * 0x1p-24);
          EXPECT_EQ(double{out.maxes[block]}, most);
          sum = most = 0;
        }
      }
    }
  }
}

TEST(Softmax, ExtremeRows) {
  const std::vector<float> row = {-INFINITY, 3.5F, -1000.0F, 3.5F, -3e38F};
  Outputs out(5);
  softmax_weights(out.args(row.data(), 5, 3.5F, 1e6F));
  EXPECT_EQ(out.weights, (std::vector<float>{0, 1, 0, 1, 0, 7}));
  EXPECT_EQ(out.sums[0], 2.0);
  EXPECT_EQ(out.maxes[0], 1.0F);
  // Zeros beyond the row, which are above its maximum, are not in the sum.
  const std::vector<float> low(18, -500.0F);
  Outputs of_low(18);
  softmax_weights(of_low.args(low.data(), 18, -500.0F, 1.0F));
  EXPECT_EQ(of_low.sums[0], 18.0);
  EXPECT_EQ(of_low.maxes[0], 1.0F);
}

}  // namespace
}  // namespace tessera::kernels
