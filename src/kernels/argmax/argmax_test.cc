#include "kernels/argmax/argmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

TEST(Argmax, EveryLengthAndPlace) {
  testing::Random random(1);
  for (int64_t n = 1; n <= 70; ++n) {
    std::vector<float> x = random.floats(n);
    EXPECT_EQ(argmax(x.data(), n), std::max_element(x.begin(), x.end()) - x.begin());
    for (int64_t place = 0; place < n; ++place) {
      std::vector<float> y = x;
      y[static_cast<size_t>(place)] = 100.0F;
      EXPECT_EQ(argmax(y.data(), n), place);
      // A later equal does not win.
      y.back() = 100.0F;
      EXPECT_EQ(argmax(y.data(), n), place);
    }
  }
}

TEST(Argmax, NanInfinityAndZeros) {
  std::vector<float> x(40, std::nanf(""));
  EXPECT_EQ(argmax(x.data(), 40), 0);
  x[33] = -INFINITY;
  EXPECT_EQ(argmax(x.data(), 40), 33);
  x[20] = -5.0F;
  EXPECT_EQ(argmax(x.data(), 40), 20);
  x[39] = INFINITY;
  EXPECT_EQ(argmax(x.data(), 40), 39);
  const std::vector<float> zeros = {-1.0F, -0.0F, 0.0F};
  EXPECT_EQ(argmax(zeros.data(), 3), 1);
}

}  // namespace
}  // namespace tessera::kernels
