#include "kernels/axpy/axpy.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

TEST(Axpy, EveryLength) {
  testing::Random random(1);
  for (int64_t n = 0; n <= 70; ++n) {
    const std::vector<float> x = random.floats(n + 1);
    std::vector<float> y = random.floats(n + 1), expected = y;
    for (int64_t i = 0; i < n; ++i) {
      const float product = 0.3F * x[static_cast<size_t>(i)];
      expected[static_cast<size_t>(i)] += product;
    }
    axpy(0.3F, x.data(), y.data(), n);
    EXPECT_TRUE(testing::same_bits(y, expected)) << n;
  }
}

}  // namespace
}  // namespace tessera::kernels
