#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/kv_store/kv_store.h"
#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

using testing::Random;

struct Shape {
  int64_t heads, kv_heads, head_dim, positions, page_size, window;
  CacheType type;
  std::string name() const {
    return "heads=" + std::to_string(heads) + "/" + std::to_string(kv_heads) +
           " head_dim=" + std::to_string(head_dim) + " positions=" + std::to_string(positions) +
           " page_size=" + std::to_string(page_size) + " window=" + std::to_string(window) +
           (type == CacheType::kBf16 ? " bf16" : " f32");
  }
};

/// A sequence whose keys and values lie in a cache with shuffled pages. What no position fills is NaN.
struct Sequence {
  Shape s;
  std::vector<float> q, k, v;  // [positions, heads or kv_heads, head_dim]
  std::vector<int32_t> pages;
  std::vector<float> k_f32, v_f32;
  std::vector<uint16_t> k_bf16, v_bf16;

  Sequence(Random& random, const Shape& shape, uint32_t shuffle = 1) : s(shape) {
    q = random.floats(s.positions * s.heads * s.head_dim);
    k = random.floats(s.positions * s.kv_heads * s.head_dim);
    v = random.floats(s.positions * s.kv_heads * s.head_dim);
    place(shuffle);
  }

  void place(uint32_t shuffle) {
    const int64_t count = (s.positions + s.page_size - 1) / s.page_size;
    std::vector<int32_t> all(static_cast<size_t>(count + 3));
    for (size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<int32_t>(i);
    std::shuffle(all.begin(), all.end(), std::mt19937(shuffle));
    pages.assign(all.begin(), all.begin() + count);
    const auto size = static_cast<size_t>((count + 3) * s.kv_heads * s.page_size * s.head_dim);
    k_f32.assign(size, std::nanf(""));
    v_f32.assign(size, std::nanf(""));
    k_bf16.assign(size, 0x7fc0);
    v_bf16.assign(size, 0x7fc0);
    const int64_t stride = s.kv_heads * s.head_dim;
    kv_store({k.data(), stride, v.data(), stride, s.positions, 0, s.type, key_cache(), value_cache(),
              strides(), pages.data(), s.page_size, s.kv_heads, s.head_dim});
  }

  void* key_cache() { return s.type == CacheType::kF32 ? static_cast<void*>(k_f32.data()) : k_bf16.data(); }
  void* value_cache() { return s.type == CacheType::kF32 ? static_cast<void*>(v_f32.data()) : v_bf16.data(); }
  CacheStrides strides() const { return dense_strides(s.kv_heads, s.page_size, s.head_dim); }
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(s.head_dim)); }
  int64_t width() const { return s.heads * s.head_dim; }

  /// Rows start..start+rows.
  AttentionArgs args(int64_t start, int64_t rows, float* out) {
    AttentionArgs a;
    a.q = q.data() + start * width();
    a.q_row_stride = width();
    a.out = out;
    a.out_row_stride = width();
    a.start = start;
    a.cache_type = s.type;
    a.k_cache = key_cache();
    a.v_cache = value_cache();
    a.strides = strides();
    a.pages = pages.data();
    a.page_size = s.page_size;
    a.heads = s.heads;
    a.kv_heads = s.kv_heads;
    a.head_dim = s.head_dim;
    a.scale = scale();
    a.window = s.window;
    a.row_end = rows;
    a.kv_head_end = s.kv_heads;
    return a;
  }

  std::vector<float> whole() {
    std::vector<float> out(q.size());
    attention(args(0, s.positions, out.data()));
    return out;
  }
};

double rounded(const Shape& s, float x) {
  return s.type == CacheType::kBf16 ? bf16_to_f32(f32_to_bf16(x)) : x;
}

/// One head of one row in float64, from operands rounded as the cache rounds them; and the largest |v| seen.
std::vector<double> reference(const Sequence& t, int64_t row, int64_t head, double* largest_value) {
  const Shape& s = t.s;
  const int64_t kv_head = head / (s.heads / s.kv_heads);
  const int64_t begin = s.window > 0 ? std::max<int64_t>(0, row + 1 - s.window) : 0;
  const auto at = [&](int64_t position, int64_t d) {
    return static_cast<size_t>((position * s.kv_heads + kv_head) * s.head_dim + d);
  };
  std::vector<double> weights;
  for (int64_t j = begin; j <= row; ++j) {
    double dot = 0;
    for (int64_t d = 0; d < s.head_dim; ++d)
      dot += rounded(s, t.q[static_cast<size_t>((row * s.heads + head) * s.head_dim + d)]) *
             rounded(s, t.k[at(j, d)]);
    weights.push_back(dot * t.scale());
  }
  const double top = *std::max_element(weights.begin(), weights.end());
  double total = 0;
  for (double& w : weights) {
    w = std::exp(w - top);
    total += w;
  }
  std::vector<double> out(static_cast<size_t>(s.head_dim), 0.0);
  *largest_value = 0;
  for (int64_t j = begin; j <= row; ++j) {
    for (int64_t d = 0; d < s.head_dim; ++d) {
      const double v = rounded(s, t.v[at(j, d)]);
      *largest_value = std::max(*largest_value, std::abs(v));
      out[static_cast<size_t>(d)] += weights[static_cast<size_t>(j - begin)] / total * v;
    }
  }
  return out;
}

void expect_close(Sequence& t) {
  const Shape& s = t.s;
  const std::vector<float> out = t.whole();
  for (int64_t row = 0; row < s.positions; ++row) {
    for (int64_t head = 0; head < s.heads; ++head) {
      double largest = 0;
      const std::vector<double> expected = reference(t, row, head, &largest);
      // A weight is off by the error of its score (head_dim additions of terms that together are below ~4
      // sqrt(dim) for normal operands, times the scale: under 16) and of exp and the sums; with bf16 it is
      // rounded to 8 bits, in numerator and denominator alike. An average of v moves by at most twice that
      // times the largest |v|.
      const double steps = static_cast<double>(s.head_dim) * 16 + static_cast<double>(s.positions) + 16;
      const double weight_error = steps * 0x1p-24 + (s.type == CacheType::kBf16 ? 0x1p-8 : 0.0);
      for (int64_t d = 0; d < s.head_dim; ++d) {
        ASSERT_NEAR(out[static_cast<size_t>((row * s.heads + head) * s.head_dim + d)],
                    expected[static_cast<size_t>(d)], 2 * weight_error * largest)
            << s.name() << " row " << row << " head " << head << " d " << d;
      }
    }
  }
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const CacheType type : {CacheType::kF32, CacheType::kBf16}) {
    for (const int64_t page_size : {2, 3, 16, 64}) {
      all.push_back({4, 2, 16, 150, page_size, 0, type});
      all.push_back({4, 2, 16, 150, page_size, 37, type});
    }
    for (const int64_t head_dim : {8, 24, 32, 40, 64, 80, 128, 256})
      all.push_back({3, 1, head_dim, 70, 16, 0, type});
    all.push_back({9, 3, 64, 130, 16, 0, type});
    all.push_back({5, 5, 16, 66, 8, 64, type});
    all.push_back({60, 1, 16, 67, 8, 0, type});  // more heads in a group than a tile holds
    all.push_back({2, 1, 16, 200, 16, 1, type});
  }
  return all;
}

TEST(Attention, CloseToFloat64) {
  Random random(1);
  for (const Shape& shape : shapes()) {
    Sequence t(random, shape);
    expect_close(t);
  }
}

/// Some 40 ways to cut a sequence into chunks, and heads into ranges, give the bits of the whole.
TEST(Attention, ChunksHeadsAndPagesDoNotChangeBits) {
  Random random(2);
  for (const Shape& shape : shapes()) {
    Sequence t(random, shape);
    const std::vector<float> whole = t.whole();
    for (const int64_t chunk : {1, 3, 17, 64}) {
      std::vector<float> pieces(whole.size());
      for (int64_t start = 0; start < shape.positions; start += chunk) {
        const int64_t rows = std::min(chunk, shape.positions - start);
        for (int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
          AttentionArgs args = t.args(start, rows, pieces.data() + start * t.width());
          args.kv_head_begin = kv_head;
          args.kv_head_end = kv_head + 1;
          attention(args);
        }
      }
      ASSERT_TRUE(testing::same_bits(pieces, whole)) << shape.name() << " chunk=" << chunk;
    }
    t.place(99);
    ASSERT_TRUE(testing::same_bits(t.whole(), whole)) << shape.name() << " other pages";
  }
}

TEST(Attention, WhatARowMayNotSeeCannotTouchItAndNanIsNotLost) {
  Random random(3);
  for (const CacheType type : {CacheType::kF32, CacheType::kBf16}) {
    for (const int64_t poisoned : {5, 64, 76, 99}) {
      for (const bool key : {false, true}) {
        const Shape shape{3, 1, 32, 100, 4, 0, type};
        Sequence t(random, shape);
        const std::vector<float> clean = t.whole();
        for (int64_t d = 0; d < 32; ++d)
          (key ? t.k : t.v)[static_cast<size_t>(poisoned * 32 + d)] = std::nanf("");
        t.place(1);
        const std::vector<float> dirty = t.whole();
        const auto before = static_cast<ptrdiff_t>(poisoned * t.width());
        EXPECT_TRUE(testing::same_bits({clean.begin(), clean.begin() + before},
                                       {dirty.begin(), dirty.begin() + before}));
        for (auto it = dirty.begin() + before; it != dirty.end(); ++it)
          ASSERT_TRUE(std::isnan(*it))
              << "poisoned=" << poisoned << " key=" << key << " at " << it - dirty.begin();
      }
    }
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  Random random(4);
  Sequence t(random, {2, 1, 16, 90, 16, 0, CacheType::kF32});
  for (float& x : t.q)
    x *= 1000.0F;
  // Scores in the thousands: the softmax is nearly one-hot, so the largest score's v comes out.
  const std::vector<float> out = t.whole();
  for (const float x : out)
    ASSERT_TRUE(std::isfinite(x));
  double largest = 0;
  const std::vector<double> expected = reference(t, 89, 1, &largest);
  for (size_t d = 0; d < 16; ++d)
    EXPECT_NEAR(out[(89 * 2 + 1) * 16 + d], expected[d], 2e-3 * largest);
}

}  // namespace
}  // namespace tessera::kernels
