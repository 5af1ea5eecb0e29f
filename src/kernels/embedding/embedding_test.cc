#include "kernels/embedding/embedding.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

TEST(Embedding, LooksUpRowsExactly) {
  testing::Random random(1);
  const std::vector<int32_t> ids = {4, 0, 4, 2};
  for (int64_t cols = 1; cols <= 40; ++cols) {
    const std::vector<float> table = random.floats(5 * cols);
    std::vector<uint16_t> narrow;
    for (const float x : table)
      narrow.push_back(f32_to_bf16(x));
    const int64_t stride = cols + 2;
    std::vector<float> wide(static_cast<size_t>(4 * stride), 8.0F), from_bf16 = wide;
    embedding_f32(table.data(), cols, ids.data(), 4, wide.data(), stride);
    embedding_bf16(narrow.data(), cols, ids.data(), 4, from_bf16.data(), stride);
    for (int64_t i = 0; i < 4 * stride; ++i) {
      const auto at = static_cast<size_t>(i);
      const auto source = static_cast<size_t>(ids[static_cast<size_t>(i / stride)] * cols + i % stride);
      EXPECT_EQ(wide[at], i % stride < cols ? table[source] : 8.0F);
      EXPECT_EQ(from_bf16[at], i % stride < cols ? bf16_to_f32(narrow[source]) : 8.0F);
    }
  }
}

}  // namespace
}  // namespace tessera::kernels
