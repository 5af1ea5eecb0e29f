// FloatBlock: keys and values of one block widened to float32 (keys transposed), products by fused
// multiply-add. Serves every cache type on every instruction set. See attention_inl.h for what a Block is.
#pragma once

#include "kernels/attention/attention_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// The first n (8 or 16) elements of a cache row.
inline Vec load_row(const float* from, int64_t n) {
  return load_n(from, n);
}
inline Vec load_row(const uint16_t* from, int64_t n) {
  if (n >= kLanes) return load_bf16(from);
  uint16_t buffer[kLanes] = {};
  __builtin_memcpy(buffer, from, static_cast<size_t>(n) * sizeof(uint16_t));
  return load_bf16(buffer);
}

/// Element: float or uint16_t (bf16 bits).
template <class Element>
class FloatBlock {
 public:
  void load_query(int64_t i, const float* from, int64_t head_dim) {
    dim_ = head_dim;
    for (int64_t d = 0; d < head_dim; d += kLanes)
      store(queries_ + i * padded_dim(dim_) + d, round(load_n(from + d, smaller(kLanes, head_dim - d))));
  }

  static Vec round(Vec x) { return sizeof(Element) == sizeof(float) ? x : round_bf16(x); }

  void gather(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count) {
    int64_t offsets[kAttentionBlock];
    offsets_of(args, kv_head, begin, count, offsets);
    const auto* k = static_cast<const Element*>(args.k_cache);
    const auto* v = static_cast<const Element*>(args.v_cache);
    for (int64_t d = 0; d < dim_; d += kLanes) {
      const int64_t n = smaller(kLanes, dim_ - d);
      for (int64_t j = 0; j < kAttentionBlock; j += kLanes) {
        Vec square[kLanes];
        for (int64_t i = 0; i < kLanes; ++i)
          square[i] = j + i < count ? load_row(k + offsets[j + i] + d, n) : zero();
        transpose(square);
        for (int64_t i = 0; i < n; ++i)
          store(keys_ + (d + i) * kAttentionBlock + j, square[i]);
      }
      for (int64_t j = 0; j < count; ++j)
        store(values_ + j * padded_dim(dim_) + d, load_row(v + offsets[j] + d, n));
    }
  }

  void scores(int64_t queries, float* s) const {
    int64_t i = 0;
    for (; i + kRows <= queries; i += kRows)
      score_rows<kRows>(i, s);
    for (; i < queries; ++i)
      score_rows<1>(i, s);
  }

  void weigh(int64_t first, int64_t queries, int64_t begin, int64_t end, const float* p, const float* decay,
             float* out) const {
    int64_t i = first;
    const int64_t stop = first + queries;
    for (; i + kRows <= stop; i += kRows)
      weigh_rows<kRows>(i, begin, end, p, decay, out);
    for (; i < stop; ++i)
      weigh_rows<1>(i, begin, end, p, decay, out);
  }

 private:
  static constexpr int kRows = kVecRegisters >= 32 ? 6 : 2;

  template <int R>
  void score_rows(int64_t i, float* s) const {
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
        for (int v = 0; v < kVecs; ++v)
          store(s + (i + r) * kAttentionBlock + j + v * kLanes, acc[r][v]);
      }
    }
  }

  template <int R>
  void weigh_rows(int64_t i, int64_t begin, int64_t end, const float* p, const float* decay,
                  float* out) const {
    constexpr int kVecs = kVecRegisters >= 32 ? 4 : 2;
    const int64_t dim = padded_dim(dim_);
    int64_t d = 0;
    for (; d + kVecs * kLanes <= dim; d += kVecs * kLanes)
      weigh_columns<R, kVecs>(i, d, begin, end, p, decay, out);
    for (; d < dim; d += kLanes)
      weigh_columns<R, 1>(i, d, begin, end, p, decay, out);
  }

  template <int R, int V>
  void weigh_columns(int64_t i, int64_t d, int64_t begin, int64_t end, const float* p, const float* decay,
                     float* out) const {
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
        const Vec weight = set1(p[(i + r) * kAttentionBlock + j]);
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
  alignas(64) float queries_[kQueries * kMaxHeadDim];        // [queries, padded_dim]
  alignas(64) float keys_[kMaxHeadDim * kAttentionBlock];    // [head_dim, block]
  alignas(64) float values_[kAttentionBlock * kMaxHeadDim];  // [block, padded_dim]
};

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
