#include "kernels/rope/rope.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

using testing::Random;

TEST(Rope, IsTheFormulaBitForBitAndTouchesNothingElse) {
  Random random(1);
  for (const int64_t rotary : {2, 8, 14, 16, 32, 34, 64, 80, 128}) {
    const int64_t rows = 3, heads = 2, head_dim = rotary + 6, half = rotary / 2;
    const int64_t row_stride = heads * head_dim + 5;
    const std::vector<float> before = random.floats(rows * row_stride);
    const std::vector<float> cos = random.floats(10 * half), sin = random.floats(10 * half);
    const std::vector<int32_t> positions = {9, 0, 4};
    std::vector<float> x = before, expected = before;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t head = 0; head < heads; ++head) {
        for (int64_t i = 0; i < half; ++i) {
          const auto at = static_cast<size_t>(row * row_stride + head * head_dim + i);
          const auto t = static_cast<size_t>(positions[static_cast<size_t>(row)] * half + i);
          const float a = before[at], b = before[at + static_cast<size_t>(half)];
          const float ac = a * cos[t], bs = b * sin[t], bc = b * cos[t], as = a * sin[t];
          expected[at] = ac - bs;
          expected[at + static_cast<size_t>(half)] = bc + as;
        }
      }
    }
    rope({x.data(), row_stride, head_dim, rows, heads, rotary, cos.data(), sin.data(), positions.data()});
    EXPECT_TRUE(testing::same_bits(x, expected)) << "rotary_dim=" << rotary;
  }
}

}  // namespace
}  // namespace tessera::kernels
