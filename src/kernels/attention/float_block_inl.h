// FloatBlock: keys and values of one block widened to float32 (keys transposed), products by fused
// multiply-add. Serves every cache type on every instruction set. See attention_inl.h for what a Block is.
#pragma once

#include "kernels/attention/attention_inl.h"
#include "kernels/attention/tile_rows_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// 16 x head_dim codes to bf16 in the same order. In runs of a constant length, which compilers vectorize.
inline void widen_tile(const int8_t* from, int64_t head_dim, uint16_t* to) {
  for (int64_t i = 0; i < kCacheTile * head_dim; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      // Below 2^8: the low half of the float is zero.
      const auto value = static_cast<float>(from[i + lane]);
      uint32_t bits;
      __builtin_memcpy(&bits, &value, sizeof(bits));
      to[i + lane] = static_cast<uint16_t>(bits >> 16);
    }
  }
}

template <CacheType kType>
class FloatBlock {
 public:
  static constexpr int64_t kRows = kVecRegisters >= 32 ? 6 : 2;
  static constexpr float kUnit = 1;

  static int64_t rows_at_once(int64_t left) { return smaller(kRows, left); }

  static Vec decay(Vec fall) { return exp_nonpositive(fall); }

  void load_query(int64_t i, const float* from, int64_t head_dim) {
    dim_ = head_dim;
    for (int64_t d = 0; d < head_dim; d += kLanes)
      store(queries_ + i * padded_dim(dim_) + d, round(load_n(from + d, smaller(kLanes, head_dim - d))));
  }

  void gather(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count, bool) {
    if (kType == CacheType::kF32) {
      gather_floats(args, kv_head, begin, count);
    } else {
      for (int64_t j = 0; j < count; j += kCacheTile)
        gather_tile(args, kv_head, begin + j, smaller(kCacheTile, count - j), j);
    }
  }

  void scores(int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + kRows <= last; i += kRows)
      score_rows<kRows>(i);
    for (; i < last; ++i)
      score_rows<1>(i);
  }

  /// Scores outside the span become -inf.
  float largest(int64_t i, Span span) {
    float* s = scores_ + i * kAttentionBlock;
    for (int64_t j = 0; j < span.begin; ++j)
      s[j] = -__builtin_inff();
    for (int64_t j = span.end; j < kAttentionBlock; ++j)
      s[j] = -__builtin_inff();
    // max() gives its second operand when one is NaN: NaN is passed over here and comes out in the weights.
    Vec best = set1(-__builtin_inff());
    for (int64_t v = 0; v < kBlockVecs; ++v)
      best = max(load(s + v * kLanes), best);
    return reduce_max(best);
  }

  Vec weights(int64_t i, Span, float factor, float top) {
    float* s = scores_ + i * kAttentionBlock;
    const Vec factors = set1(factor), shift = set1(-top);
    Vec sum = zero();
    for (int64_t v = 0; v < kBlockVecs; ++v) {
      Vec weight = exp_nonpositive(fma(load(s + v * kLanes), factors, shift));
      if (kType != CacheType::kInt8) {
        weight = round(weight);
        sum = add(sum, weight);
      } else {
        sum = add(sum, weight);
        weight = round(mul(weight, load(value_scales_ + v * kLanes)));
      }
      store(s + v * kLanes, weight);
    }
    return sum;
  }

  void weigh(int64_t i, int64_t rows, int64_t begin, int64_t end, const float* decay, float* out) const {
    if (rows == kRows) {
      weigh_rows<kRows>(i, begin, end, decay, out);
      return;
    }
    for (int64_t r = 0; r < rows; ++r)
      weigh_rows<1>(i + r, begin, end, decay, out);
  }

 private:
  static Vec round(Vec x) { return kType == CacheType::kF32 ? x : round_bf16(x); }

  void gather_floats(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count) {
    int64_t offsets[kAttentionBlock];
    for (int64_t j = 0; j < count; ++j) {
      offsets[j] = args.pages[(begin + j) / args.page_size] * args.strides.page +
                   kv_head * args.strides.kv_head + (begin + j) % args.page_size * dim_;
    }
    const auto* k = static_cast<const float*>(args.k_cache);
    const auto* v = static_cast<const float*>(args.v_cache);
    for (int64_t d = 0; d < dim_; d += kLanes) {
      const int64_t n = smaller(kLanes, dim_ - d);
      for (int64_t j = 0; j < kAttentionBlock; j += kLanes) {
        Vec square[kLanes];
        for (int64_t i = 0; i < kLanes; ++i)
          square[i] = j + i < count ? load_n(k + offsets[j + i] + d, n) : zero();
        transpose(square);
        for (int64_t i = 0; i < n; ++i)
          store(keys_ + (d + i) * kAttentionBlock + j, square[i]);
      }
      for (int64_t j = 0; j < count; ++j)
        store(values_ + j * padded_dim(dim_) + d, load_n(v + offsets[j] + d, n));
    }
  }

  /// Positions j..j+count of the block, which are begin..begin+count of the sequence.
  void gather_tile(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count, int64_t j) {
    const int64_t within = begin % args.page_size;
    const int64_t chunk =
        args.pages[begin / args.page_size] * args.strides.page + kv_head * args.strides.kv_head;
    if (!is_tiled(kType, args.page_size)) {
      const TileRows<kType> rows{args, kv_head, begin, count, dim_};
      rows.place(args.k_cache, tile_, key_scales_ + j,
                 [](int64_t token, int64_t d) { return d / 2 * 2 * kCacheTile + 2 * token + d % 2; });
      unpack_keys(bf16_tile(), j);
      rows.place(args.v_cache, tile_, value_scales_ + j,
                 [this](int64_t token, int64_t d) { return token / 2 * 2 * dim_ + 2 * d + token % 2; });
      unpack_values(bf16_tile(), j);
      return;
    }
    unpack_keys(tile_at(args.k_cache, chunk, within, args.page_size, key_scales_ + j), j);
    unpack_values(tile_at(args.v_cache, chunk, within, args.page_size, value_scales_ + j), j);
  }

  const uint16_t* bf16_tile() const { return reinterpret_cast<const uint16_t*>(tile_); }

  /// The tile as bf16: where it lies, or widened to tile_.
  const uint16_t* tile_at(const void* cache, int64_t chunk, int64_t within, int64_t page_size,
                          float* scales) {
    const int64_t at = chunk + within * dim_;
    if (kType == CacheType::kBf16) return static_cast<const uint16_t*>(cache) + at;
    const auto* codes = static_cast<const int8_t*>(cache);
    const char* from = reinterpret_cast<const char*>(codes + chunk + page_size * dim_);
    __builtin_memcpy(scales, from + within * static_cast<int64_t>(sizeof(float)), kLanes * sizeof(float));
    widen_tile(codes + at, dim_, reinterpret_cast<uint16_t*>(tile_));
    return bf16_tile();
  }

  void unpack_keys(const uint16_t* tile, int64_t j) {
    for (int64_t d = 0; d < dim_; d += 2) {
      Vec even, odd;
      load_bf16_pairs(tile + d * kLanes, even, odd);
      store(keys_ + d * kAttentionBlock + j, even);
      store(keys_ + (d + 1) * kAttentionBlock + j, odd);
    }
  }

  void unpack_values(const uint16_t* tile, int64_t j) {
    const int64_t stride = padded_dim(dim_);
    for (int64_t token = 0; token < kCacheTile; token += 2) {
      float* to = values_ + (j + token) * stride;
      const uint16_t* from = tile + token * dim_;
      int64_t d = 0;
      for (; d + kLanes <= dim_; d += kLanes) {
        Vec even, odd;
        load_bf16_pairs(from + 2 * d, even, odd);
        store(to + d, even);
        store(to + stride + d, odd);
      }
      for (; d < dim_; ++d) {
        to[d] = widen(from[2 * d]);
        to[stride + d] = widen(from[2 * d + 1]);
      }
    }
  }

  template <int R>
  void score_rows(int64_t i) {
    constexpr int kVecs = kVecRegisters >= 32 ? kBlockVecs : 2;
    const int64_t dim = padded_dim(dim_);
    for (int64_t j = 0; j < kAttentionBlock; j += kVecs * kLanes) {
      Vec acc[R][kVecs];
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v)
          acc[r][v] = zero();
      }
      for (int64_t d = 0; d < dim_; ++d) {
        Vec keys[kVecs];
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v)
          keys[v] = load(keys_ + d * kAttentionBlock + j + v * kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
          const Vec q = set1(queries_[(i + r) * dim + d]);
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; ++v)
            acc[r][v] = fma(q, keys[v], acc[r][v]);
        }
      }
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) {
          if (kType == CacheType::kInt8) acc[r][v] = mul(acc[r][v], load(key_scales_ + j + v * kLanes));
          store(scores_ + (i + r) * kAttentionBlock + j + v * kLanes, acc[r][v]);
        }
      }
    }
  }

  template <int R>
  void weigh_rows(int64_t i, int64_t begin, int64_t end, const float* decay, float* out) const {
    constexpr int kVecs = kVecRegisters >= 32 ? 4 : 2;
    const int64_t dim = padded_dim(dim_);
    int64_t d = 0;
    for (; d + kVecs * kLanes <= dim; d += kVecs * kLanes)
      weigh_columns<R, kVecs>(i, d, begin, end, decay, out);
    for (; d < dim; d += kLanes)
      weigh_columns<R, 1>(i, d, begin, end, decay, out);
  }

  template <int R, int V>
  void weigh_columns(int64_t i, int64_t d, int64_t begin, int64_t end, const float* decay, float* out) const {
    const int64_t dim = padded_dim(dim_);
    Vec acc[R][V];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        acc[r][v] = mul(load(out + (i + r) * dim + d + v * kLanes), set1(decay[i + r]));
    }
    for (int64_t j = begin; j < end; ++j) {
      Vec values[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        values[v] = load(values_ + j * dim + d + v * kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const Vec weight = set1(scores_[(i + r) * kAttentionBlock + j]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
          acc[r][v] = fma(weight, values[v], acc[r][v]);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        store(out + (i + r) * dim + d + v * kLanes, acc[r][v]);
    }
  }

  int64_t dim_ = 0;
  alignas(64) float queries_[kAttentionTile * kMaxHeadDim];     // [queries, padded_dim]
  alignas(64) float scores_[kAttentionTile * kAttentionBlock];  // [queries, block]; then the weights
  alignas(64) float key_scales_[kAttentionBlock] = {};
  alignas(64) float value_scales_[kAttentionBlock] = {};
  alignas(64) float keys_[kMaxHeadDim * kAttentionBlock];    // [head_dim, block]
  alignas(64) float values_[kAttentionBlock * kMaxHeadDim];  // [block, padded_dim]
  alignas(64) uint32_t tile_[kCacheTile / 2 * kMaxHeadDim];  // bf16, as in the cache
};

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
