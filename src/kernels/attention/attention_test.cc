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
    constexpr const char* kTypes[] = {" f32", " bf16", " int8"};
    return "heads=" + std::to_string(heads) + "/" + std::to_string(kv_heads) +
           " head_dim=" + std::to_string(head_dim) + " positions=" + std::to_string(positions) +
           " page_size=" + std::to_string(page_size) + " window=" + std::to_string(window) +
           kTypes[static_cast<int>(type)];
  }
};

/// A sequence whose keys and values lie in a cache with shuffled pages. What no position fills is NaN.
struct Sequence {
  Shape s;
  std::vector<float> q, k, v;  // [positions, heads or kv_heads, head_dim]
  std::vector<int32_t> pages;
  std::vector<uint8_t> k_cache, v_cache;

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
    const auto size = static_cast<size_t>((count + 3) * strides().page * element_bytes(s.type));
    // All ones: NaN in float32 (scales too) and in bf16.
    k_cache.assign(size, 0xff);
    v_cache.assign(size, 0xff);
    KvStoreArgs args;
    args.k = k.data();
    args.v = v.data();
    args.k_row_stride = args.v_row_stride = s.kv_heads * s.head_dim;
    args.rows = s.positions;
    args.cache_type = s.type;
    args.k_cache = k_cache.data();
    args.v_cache = v_cache.data();
    args.strides = strides();
    args.pages = pages.data();
    args.page_size = s.page_size;
    args.kv_heads = s.kv_heads;
    args.head_dim = s.head_dim;
    kv_store(args);
  }

  CacheStrides strides() const { return cache_strides(s.type, s.kv_heads, s.page_size, s.head_dim); }
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
    a.k_cache = k_cache.data();
    a.v_cache = v_cache.data();
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
  return s.type == CacheType::kF32 ? x : bf16_to_f32(f32_to_bf16(x));
}

/// One head of keys or values as the cache gives it back.
std::vector<double> kept(const Shape& s, const float* x) {
  std::vector<double> values(static_cast<size_t>(s.head_dim));
  float largest = 0;
  for (int64_t d = 0; d < s.head_dim; ++d)
    largest = std::max(largest, std::abs(x[d]));
  const float scale = largest / 127.0F;
  for (size_t d = 0; d < values.size(); ++d) {
    values[d] = s.type != CacheType::kInt8 ? rounded(s, x[d])
                : scale > 0                ? static_cast<double>(std::nearbyint(x[d] / scale)) * scale
                                           : 0.0;
  }
  return values;
}

struct Reference {
  std::vector<double> out;
  double largest_value = 0, largest_score = 0;
};

/// All rows of one head in float64, from operands rounded as the cache rounds them.
std::vector<Reference> reference(const Sequence& t, int64_t head) {
  const Shape& s = t.s;
  const int64_t kv_head = head / (s.heads / s.kv_heads);
  std::vector<std::vector<double>> k, v;
  for (int64_t j = 0; j < s.positions; ++j) {
    k.push_back(kept(s, t.k.data() + (j * s.kv_heads + kv_head) * s.head_dim));
    v.push_back(kept(s, t.v.data() + (j * s.kv_heads + kv_head) * s.head_dim));
  }
  std::vector<Reference> rows;
  for (int64_t row = 0; row < s.positions; ++row) {
    Reference r{std::vector<double>(static_cast<size_t>(s.head_dim), 0.0)};
    const int64_t begin = s.window > 0 ? std::max<int64_t>(0, row + 1 - s.window) : 0;
    std::vector<double> weights;
    for (int64_t j = begin; j <= row; ++j) {
      double dot = 0;
      for (int64_t d = 0; d < s.head_dim; ++d)
        dot += rounded(s, t.q[static_cast<size_t>((row * s.heads + head) * s.head_dim + d)]) *
               k[static_cast<size_t>(j)][static_cast<size_t>(d)];
      weights.push_back(dot * t.scale());
      r.largest_score = std::max(r.largest_score, std::abs(weights.back()));
    }
    const double top = *std::max_element(weights.begin(), weights.end());
    double total = 0;
    for (double& w : weights) {
      w = std::exp(w - top);
      total += w;
    }
    for (int64_t j = begin; j <= row; ++j) {
      for (size_t d = 0; d < r.out.size(); ++d) {
        const double value = v[static_cast<size_t>(j)][d];
        r.largest_value = std::max(r.largest_value, std::abs(value));
        r.out[d] += weights[static_cast<size_t>(j - begin)] / total * value;
      }
    }
    rows.push_back(std::move(r));
  }
  return rows;
}

void expect_close(Sequence& t) {
  const Shape& s = t.s;
  const std::vector<float> out = t.whole();
  for (int64_t head = 0; head < s.heads; ++head) {
    const std::vector<Reference> expected = reference(t, head);
    for (int64_t row = 0; row < s.positions; ++row) {
      const Reference& r = expected[static_cast<size_t>(row)];
      // A weight is off by the error of its score (head_dim additions of terms that together are below ~4
      // sqrt(dim) for normal operands, times the scale: under 16, or the score itself) and of exp and the
      // sums; with bf16 it is rounded to 8 bits, and with int8 in the numerator alone. An average of v moves
      // by at most twice that times the largest |v|.
      const double steps =
          static_cast<double>(s.head_dim) * (16 + r.largest_score) + static_cast<double>(s.positions) + 16;
      const double weight_error = steps * 0x1p-24 + (s.type == CacheType::kF32 ? 0.0 : 0x1p-8);
      for (int64_t d = 0; d < s.head_dim; ++d) {
        ASSERT_NEAR(out[static_cast<size_t>((row * s.heads + head) * s.head_dim + d)],
                    r.out[static_cast<size_t>(d)], 2 * weight_error * r.largest_value)
            << s.name() << " row " << row << " head " << head << " d " << d;
      }
    }
  }
}

constexpr CacheType kTypes[] = {CacheType::kF32, CacheType::kBf16, CacheType::kInt8};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const CacheType type : kTypes) {
    for (const int64_t page_size : {1, 2, 3, 16, 64}) {
      all.push_back({4, 2, 16, 150, page_size, 0, type});
      all.push_back({4, 2, 16, 150, page_size, 37, type});
    }
    for (const int64_t head_dim : {8, 24, 32, 40, 64, 80, 96, 128, 256})
      all.push_back({3, 1, head_dim, 70, 16, 0, type});
    all.push_back({9, 3, 64, 130, 16, 0, type});
    all.push_back({7, 1, 16, 131, 64, 0, type});
    all.push_back({5, 5, 16, 66, 8, 64, type});
    all.push_back({60, 1, 16, 67, 8, 0, type});  // more heads in a group than a tile holds
    all.push_back({2, 1, 16, 200, 16, 1, type});
    // Around the borders of splits, with and without windows that skip some.
    all.push_back({2, 1, 16, kAttentionSplit + 70, 64, 0, type});
    all.push_back({2, 1, 16, 2 * kAttentionSplit + 3, 16, 40, type});
    all.push_back({1, 1, 8, 2 * kAttentionSplit + 66, 16, kAttentionSplit + 1, type});
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

/// Some 100 ways to cut a sequence into chunks, and heads into ranges, give the bits of the whole.
TEST(Attention, ChunksHeadsAndPagesDoNotChangeBits) {
  Random random(2);
  for (const Shape& shape : shapes()) {
    Sequence t(random, shape);
    const std::vector<float> whole = t.whole();
    for (const int64_t chunk : {1, 3, 17, 64}) {
      // The end is enough of long ones.
      const int64_t first = std::max<int64_t>(0, shape.positions - 160);
      std::vector<float> pieces = whole;
      std::fill(pieces.begin() + first * t.width(), pieces.end(), 0.0F);
      for (int64_t start = first; start < shape.positions; start += chunk) {
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

/// attention() of one range, by its splits in any order.
void attend_by_splits(const AttentionArgs& args, std::mt19937& engine) {
  const SplitRange range = attention_splits(args);
  const int64_t heads = (args.kv_head_end - args.kv_head_begin) * (args.heads / args.kv_heads);
  const int64_t stride = (args.row_end - args.row_begin) * heads * partial_floats(args.head_dim);
  // NaN where a row sees nothing of a split: nobody may read it.
  std::vector<float> partials(static_cast<size_t>((range.end - range.begin) * stride), std::nanf(""));
  std::vector<int64_t> order;
  for (int64_t split = range.begin; split < range.end; ++split)
    order.push_back(split);
  std::shuffle(order.begin(), order.end(), engine);
  for (const int64_t split : order)
    attention_split(args, split, partials.data() + (split - range.begin) * stride);
  attention_merge(args, partials.data());
}

TEST(Attention, SplitsGiveTheBitsOfTheWhole) {
  Random random(3);
  std::mt19937 engine(4);
  for (const Shape& shape : shapes()) {
    if (shape.positions <= kAttentionSplit && shape.page_size != 16) continue;
    Sequence t(random, shape);
    const std::vector<float> whole = t.whole();
    for (const int64_t chunk : {int64_t{5}, int64_t{61}, shape.positions}) {
      std::vector<float> pieces(whole.size(), 0.0F);
      for (int64_t start = 0; start < shape.positions; start += chunk) {
        AttentionArgs args =
            t.args(start, std::min(chunk, shape.positions - start), pieces.data() + start * t.width());
        const int64_t middle = args.row_end / 2;
        for (args.kv_head_begin = 0; args.kv_head_begin < shape.kv_heads; ++args.kv_head_begin) {
          args.kv_head_end = args.kv_head_begin + 1;
          AttentionArgs part = args;
          part.row_end = middle;
          if (middle > 0) attend_by_splits(part, engine);
          part = args;
          part.row_begin = middle;
          attend_by_splits(part, engine);
        }
      }
      ASSERT_TRUE(testing::same_bits(pieces, whole)) << shape.name() << " chunk=" << chunk;
    }
  }
}

TEST(Attention, WhatARowMayNotSeeCannotTouchItAndNanIsNotLost) {
  Random random(3);
  for (const CacheType type : kTypes) {
    for (const int64_t page_size : {4, 16}) {
      for (const int64_t poisoned : {5, 64, 76, 99}) {
        for (const bool key : {false, true}) {
          const Shape shape{3, 1, 32, 100, page_size, 0, type};
          Sequence t(random, shape);
          const std::vector<float> clean = t.whole();
          for (int64_t d = 0; d < 32; ++d)
            (key ? t.k : t.v)[static_cast<size_t>(poisoned * 32 + d)] = std::nanf("");
          t.place(1);
          const std::vector<float> dirty = t.whole();
          const auto before = static_cast<ptrdiff_t>(poisoned * t.width());
          EXPECT_TRUE(testing::same_bits({clean.begin(), clean.begin() + before},
                                         {dirty.begin(), dirty.begin() + before}))
              << shape.name();
          for (auto it = dirty.begin() + before; it != dirty.end(); ++it)
            ASSERT_TRUE(std::isnan(*it))
                << shape.name() << " poisoned=" << poisoned << " key=" << key << " at " << it - dirty.begin();
        }
      }
    }
  }
}

/// What a window has left behind cannot touch a row either, nor can NaN in the splits before.
TEST(Attention, NanBehindAWindowIsForgotten) {
  Random random(5);
  for (const CacheType type : kTypes) {
    const Shape shape{2, 1, 16, kAttentionSplit + 90, 16, 33, type};
    Sequence t(random, shape);
    const std::vector<float> clean = t.whole();
    constexpr int64_t kPoisoned = kAttentionSplit - 1;
    for (int64_t d = 0; d < 16; ++d)
      t.k[kPoisoned * 16 + d] = t.v[kPoisoned * 16 + d] = std::nanf("");
    t.place(1);
    const std::vector<float> dirty = t.whole();
    for (int64_t row = 0; row < shape.positions; ++row) {
      const bool sees = row >= kPoisoned && row < kPoisoned + shape.window;
      for (int64_t i = row * t.width(); i < (row + 1) * t.width(); ++i) {
        const auto at = static_cast<size_t>(i);
        ASSERT_TRUE(sees ? std::isnan(dirty[at]) : dirty[at] == clean[at]) << shape.name() << " row " << row;
      }
    }
  }
}

/// Scores in the thousands: the softmax is nearly one-hot, so the largest score's v comes out.
TEST(Attention, LargeScoresDoNotOverflow) {
  Random random(4);
  for (const CacheType type : kTypes) {
    Sequence t(random, {2, 1, 16, kAttentionSplit + 40, 16, 0, type});
    for (float& x : t.q)
      x *= 1000.0F;
    expect_close(t);
  }
}

TEST(Attention, InfiniteScoresGiveNan) {
  Random random(6);
  for (const CacheType type : {CacheType::kF32, CacheType::kBf16}) {
    Sequence t(random, {1, 1, 16, 70, 16, 0, type});
    t.q.assign(t.q.size(), 1.0F);
    std::fill(t.k.begin() + 20 * 16, t.k.begin() + 21 * 16, 3e38F);
    t.place(1);
    const std::vector<float> out = t.whole();
    for (int64_t row = 0; row < 70; ++row)
      EXPECT_EQ(std::isnan(out[static_cast<size_t>(row * 16)]), row >= 20) << "row " << row;
  }
}

}  // namespace
}  // namespace tessera::kernels
