#include "kernels/scatter_add/scatter_add.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

TEST(ScatterAdd, EveryLength) {
  testing::Random random(1);
  const std::vector<int32_t> rows = {4, 0, 2, 4};  // a row twice: in order
  const std::vector<float> weights = {0.3F, -1.5F, 2.0F, 0.7F};
  for (int64_t cols = 0; cols <= 70; ++cols) {
    const int64_t x_stride = cols + 3, y_stride = cols + 1;
    const std::vector<float> x = random.floats(4 * x_stride);
    std::vector<float> y = random.floats(5 * y_stride), expected = y;
    for (size_t i = 0; i < rows.size(); ++i) {
      for (int64_t col = 0; col < cols; ++col) {
        const float product = weights[i] * x[i * static_cast<size_t>(x_stride) + static_cast<size_t>(col)];
        expected[static_cast<size_t>(rows[i] * y_stride + col)] += product;
      }
    }
    scatter_add({.x = x.data(),
                 .x_stride = x_stride,
                 .rows = rows.data(),
                 .weights = weights.data(),
                 .count = 4,
                 .cols = cols,
                 .y = y.data(),
                 .y_stride = y_stride});
    EXPECT_TRUE(testing::same_bits(y, expected)) << cols;
  }
}

}  // namespace
}  // namespace tessera::kernels
