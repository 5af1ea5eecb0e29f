#include "kernels/kv_store/kv_store.h"

#include <gtest/gtest.h>

#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

/// Stores rows at `start` and compares every element of the cache with what is expected there.
template <class Element, class Convert>
void check(CacheType type, int64_t page_size, int64_t head_dim, int64_t start, Convert convert) {
  const int64_t rows = 9, kv_heads = 2, row_stride = kv_heads * head_dim + 3;
  testing::Random random(1);
  const std::vector<float> k = random.floats(rows * row_stride), v = random.floats(rows * row_stride);
  const int64_t used = (start + rows + page_size - 1) / page_size;
  std::vector<int32_t> pages;
  for (int64_t i = 0; i < used; ++i)
    pages.push_back(static_cast<int32_t>((i * 3 + 1) % (3 * used + 1)));
  const CacheStrides strides = dense_strides(kv_heads, page_size, head_dim);
  const auto size = static_cast<size_t>((3 * used + 2) * strides.page);
  const auto untouched = static_cast<Element>(7);
  std::vector<Element> k_cache(size, untouched), v_cache(size, untouched), k_expected = k_cache,
                                                                           v_expected = v_cache;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t head = 0; head < kv_heads; ++head) {
      for (int64_t d = 0; d < head_dim; ++d) {
        const int64_t position = start + row;
        const auto to = static_cast<size_t>(
            ((pages[static_cast<size_t>(position / page_size)] * kv_heads + head) * page_size +
             position % page_size) *
                head_dim +
            d);
        k_expected[to] = convert(k[static_cast<size_t>(row * row_stride + head * head_dim + d)]);
        v_expected[to] = convert(v[static_cast<size_t>(row * row_stride + head * head_dim + d)]);
      }
    }
  }
  kv_store({k.data(), row_stride, v.data(), row_stride, rows, start, type, k_cache.data(), v_cache.data(),
            strides, pages.data(), page_size, kv_heads, head_dim});
  EXPECT_EQ(k_cache, k_expected) << "page_size=" << page_size << " head_dim=" << head_dim
                                 << " start=" << start;
  EXPECT_EQ(v_cache, v_expected) << "page_size=" << page_size << " head_dim=" << head_dim
                                 << " start=" << start;
}

TEST(KvStore, EveryElementInItsPlaceAndNoOther) {
  for (const int64_t page_size : {1, 2, 5, 16}) {
    for (const int64_t head_dim : {8, 16, 24, 64}) {
      for (const int64_t start : {0, 3, 16}) {
        check<float>(CacheType::kF32, page_size, head_dim, start, [](float x) { return x; });
        check<uint16_t>(CacheType::kBf16, page_size, head_dim, start, f32_to_bf16);
      }
    }
  }
}

}  // namespace
}  // namespace tessera::kernels
