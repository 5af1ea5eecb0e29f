#include "sampling/row_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tessera::sampling {
namespace {

std::vector<float> random_row(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 8);
  std::vector<float> row(size);
  for (float& x : row)
    x = normal(random);
  return row;
}

TEST(RowMath, MaxOfEveryLengthAndPlace) {
  EXPECT_EQ(row_max({}).value, -INFINITY);
  for (size_t size = 1; size <= 67; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::vector<float> row = random_row(size, 1);
      row[at] = 100;
      EXPECT_EQ(row_max(row).value, 100.0F) << size << " " << at;
      EXPECT_FALSE(row_max(row).has_nan);
      row[at] = NAN;
      EXPECT_TRUE(row_max(row).has_nan) << size << " " << at;
    }
  }
}

TEST(RowMath, ExpIsAccurateAndItsBlocksAddUp) {
  for (const size_t size : {1, 3, 4, 5, 255, 256, 257, 1000}) {
    const std::vector<float> row = random_row(size, 2);
    const float max = row_max(row).value;
    std::vector<float> weights(size);
    std::vector<double> sums((size + kBlock - 1) / kBlock);
    for (const float inverse_temperature : {0.5F, 1.0F, 2.0F}) {
      exp_row(row, max, inverse_temperature, weights, sums);
      double expected_sum = 0;
      for (size_t i = 0; i < size; ++i) {
        const double x = static_cast<double>((row[i] - max) * inverse_temperature);
        EXPECT_NEAR(weights[i] / std::exp(x), x < -87 ? 0.0 : 1.0, 2e-7) << x;
        expected_sum += weights[i];
      }
      double sum = 0;
      for (const double block : sums)
        sum += block;
      // Each of the four lanes adds at most 64 floats per block.
      EXPECT_NEAR(sum, expected_sum, expected_sum * 64 * 0x1p-24);
    }
  }
}

TEST(RowMath, ExpOfTheBest) {
  const std::vector<float> row = {-INFINITY, 3.5F, -1000.0F, 3.5F, -3e38F};
  std::vector<float> weights(row.size());
  std::vector<double> sums(1);
  exp_row(row, 3.5F, 1e6F, weights, sums);
  EXPECT_EQ(weights, (std::vector<float>{0, 1, 0, 1, 0}));
  EXPECT_EQ(sums[0], 2.0);
}

}  // namespace
}  // namespace tessera::sampling
