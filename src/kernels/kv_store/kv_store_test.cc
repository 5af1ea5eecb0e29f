#include "kernels/kv_store/kv_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

/// A cache as bytes, and what is expected there; places that nothing is stored to keep a pattern.
struct Case {
  CacheType type;
  int64_t page_size, head_dim, start, rows = 41, kv_heads = 2;

  std::string name() const {
    return "type=" + std::to_string(static_cast<int>(type)) + " page_size=" + std::to_string(page_size) +
           " head_dim=" + std::to_string(head_dim) + " start=" + std::to_string(start);
  }
};

using Bytes = std::vector<uint8_t>;

void put(Bytes& cache, int64_t element, int64_t bytes, const void* value) {
  std::memcpy(cache.data() + element * bytes, value, static_cast<size_t>(bytes));
}

/// scale and codes by the definition, in float32 with a true division.
float scale_of(const float* x, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return std::nanf("");
    largest = std::max(largest, std::abs(x[i]));
  }
  return largest / 127.0F;
}

/// `fixed`: 0, or the scale from a checkpoint.
void expect_row(Bytes& cache, const Case& c, int64_t chunk, int64_t within, const float* x, float fixed,
                int64_t (*index)(bool, int64_t, int64_t, int64_t)) {
  const bool tiled = is_tiled(c.type, c.page_size);
  const float own = scale_of(x, c.head_dim), scale = fixed > 0 && !std::isnan(own) ? fixed : own;
  for (int64_t d = 0; d < c.head_dim; ++d) {
    const int64_t to = chunk + index(tiled, c.head_dim, within, d);
    const uint16_t bf16 = f32_to_bf16(x[d]);
    const float rounded = scale > 0 ? std::nearbyint(x[d] / scale) : 0;
    const auto code = static_cast<int8_t>(std::clamp(rounded, fixed > 0 ? -128.0F : -127.0F, 127.0F));
    if (c.type == CacheType::kF32) put(cache, to, 4, x + d);
    if (c.type == CacheType::kBf16) put(cache, to, 2, &bf16);
    if (c.type == CacheType::kInt8) put(cache, to, 1, &code);
  }
  if (c.type == CacheType::kInt8) {
    std::memcpy(cache.data() + chunk + c.page_size * c.head_dim + within * 4, &scale, sizeof(scale));
  }
}

/// Stores rows at `start` and compares every byte of the cache with what is expected there.
void check(const Case& c, const std::vector<float>& k, const std::vector<float>& v, int64_t row_stride,
           const std::vector<float>& k_scales = {}, const std::vector<float>& v_scales = {}) {
  const auto fixed = [](const std::vector<float>& scales, int64_t head) {
    return scales.empty() ? 0.0F : scales[static_cast<size_t>(head)];
  };
  const int64_t used = (c.start + c.rows + c.page_size - 1) / c.page_size;
  std::vector<int32_t> pages;
  for (int64_t i = 0; i < used; ++i)
    pages.push_back(static_cast<int32_t>((i * 3 + 1) % (3 * used + 1)));
  const CacheStrides strides = cache_strides(c.type, c.kv_heads, c.page_size, c.head_dim);
  const auto size = static_cast<size_t>((3 * used + 2) * strides.page * element_bytes(c.type));
  Bytes k_cache(size, 0x5a), v_cache(size, 0x5a), k_expected = k_cache, v_expected = v_cache;
  for (int64_t row = 0; row < c.rows; ++row) {
    for (int64_t head = 0; head < c.kv_heads; ++head) {
      const int64_t position = c.start + row;
      const int64_t chunk =
          pages[static_cast<size_t>(position / c.page_size)] * strides.page + head * strides.kv_head;
      const auto from = static_cast<size_t>(row * row_stride + head * c.head_dim);
      expect_row(k_expected, c, chunk, position % c.page_size, k.data() + from, fixed(k_scales, head),
                 key_index);
      expect_row(v_expected, c, chunk, position % c.page_size, v.data() + from, fixed(v_scales, head),
                 value_index);
    }
  }
  KvStoreArgs args;
  args.k = k.data();
  args.k_row_stride = row_stride;
  args.v = v.data();
  args.v_row_stride = row_stride;
  args.k_scales = k_scales.empty() ? nullptr : k_scales.data();
  args.v_scales = v_scales.empty() ? nullptr : v_scales.data();
  args.rows = c.rows;
  args.start = c.start;
  args.cache_type = c.type;
  args.k_cache = k_cache.data();
  args.v_cache = v_cache.data();
  args.strides = strides;
  args.pages = pages.data();
  args.page_size = c.page_size;
  args.kv_heads = c.kv_heads;
  args.head_dim = c.head_dim;
  kv_store(args);
  const auto first_difference = [](const Bytes& a, const Bytes& b) {
    return std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin();
  };
  EXPECT_TRUE(k_cache == k_expected) << "keys " << c.name() << " byte "
                                     << first_difference(k_cache, k_expected);
  EXPECT_TRUE(v_cache == v_expected) << "values " << c.name() << " byte "
                                     << first_difference(v_cache, v_expected);
}

TEST(KvStore, EveryElementInItsPlaceAndNoOther) {
  testing::Random random(1);
  for (const CacheType type : {CacheType::kF32, CacheType::kBf16, CacheType::kInt8}) {
    for (const int64_t page_size : {1, 2, 5, 16, 64}) {
      for (const int64_t head_dim : {8, 16, 24, 64, 80, 256}) {
        for (const int64_t start : {0, 3, 16}) {
          const Case c{type, page_size, head_dim, start};
          const int64_t row_stride = c.kv_heads * head_dim + 3;
          check(c, random.floats(c.rows * row_stride), random.floats(c.rows * row_stride), row_stride);
        }
      }
    }
  }
}

/// Each element of a tile has a place of its own.
TEST(KvStore, IndicesOfATileAreAPermutation) {
  for (const int64_t head_dim : {8, 64, 80}) {
    for (const auto index : {key_index, value_index}) {
      std::vector<int> seen(static_cast<size_t>(32 * head_dim), 0);
      for (int64_t within = 0; within < 32; ++within) {
        for (int64_t d = 0; d < head_dim; ++d)
          ++seen.at(static_cast<size_t>(index(true, head_dim, within, d)));
      }
      EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 32 * head_dim) << "head_dim=" << head_dim;
    }
  }
}

TEST(KvStore, ExtremeRowsOfInt8) {
  const int64_t head_dim = 32;
  const Case c{CacheType::kInt8, 16, head_dim, 0, 7, 1};
  testing::Random random(2);
  std::vector<float> x = random.floats(c.rows * head_dim);
  const auto row = [&](int64_t r) { return x.begin() + r * head_dim; };
  std::fill(row(0), row(1), 0.0F);
  std::fill(row(1), row(2), -0.0F);
  row(2)[5] = std::nanf("");
  row(3)[31] = -INFINITY;
  std::fill(row(4), row(5), 1e-45F);  // the scale is zero
  row(5)[7] = 3e38F;                  // one huge outlier: the others become 0
  std::fill(row(6), row(7), -2.5F);   // all codes -127
  check(c, x, x, head_dim);
}

TEST(KvStore, ScalesOfACheckpoint) {
  for (const int64_t head_dim : {16, 40}) {
    const Case c{CacheType::kInt8, 16, head_dim, 3};
    testing::Random random(3);
    const int64_t stride = c.kv_heads * head_dim;
    std::vector<float> k = random.floats(c.rows * stride), scales(static_cast<size_t>(c.kv_heads));
    for (size_t head = 0; head < scales.size(); ++head)
      scales[head] = 0.004F * static_cast<float>(head + 1);  // some numbers lie beyond the codes
    k[3] = std::nanf("");
    const std::vector<float> v = random.floats(c.rows * stride);
    check(c, k, v, stride, scales, scales);
    check(c, k, v, stride, scales);
  }
}

}  // namespace
}  // namespace tessera::kernels
