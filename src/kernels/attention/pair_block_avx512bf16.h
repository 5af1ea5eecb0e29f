// PairBlock: keys and values of one block of a bf16 cache as pairs for vdpbf16ps: keys as [head_dim/2][block]
// pairs along the head, values as [block/2][head_dim] pairs along the positions. See attention_inl.h for what
// a Block is.
#pragma once

#include "kernels/attention/attention_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

class PairBlock {
 public:
  void load_query(int64_t i, const float* from, int64_t head_dim) {
    dim_ = head_dim;
    for (int64_t d = 0; d < head_dim; d += kLanes)
      store_bf16(queries_ + i * padded_dim(dim_) + d, load_n(from + d, smaller(kLanes, head_dim - d)));
  }

  static Vec round(Vec x) { return round_bf16(x); }

  void gather(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count) {
    int64_t offsets[kAttentionBlock];
    offsets_of(args, kv_head, begin, count, offsets);
    gather_keys(static_cast<const uint16_t*>(args.k_cache), offsets, count);
    gather_values(static_cast<const uint16_t*>(args.v_cache), offsets, count);
  }

  void scores(int64_t queries, float* s) const {
    int64_t i = 0;
    for (; i + kRows <= queries; i += kRows)
      score_rows<kRows>(i, s);
    if (i + 3 <= queries) {
      score_rows<3>(i, s);
      i += 3;
    }
    for (; i < queries; ++i)
      score_rows<1>(i, s);
  }

  void weigh(int64_t first, int64_t queries, int64_t begin, int64_t end, const float* p, const float* decay,
             float* out) {
    for (int64_t i = first; i < first + queries; ++i) {
      for (int64_t j = 0; j < kAttentionBlock; j += kLanes)
        store_bf16(weights_ + i * kAttentionBlock + j, load(p + i * kAttentionBlock + j));
    }
    int64_t i = first;
    const int64_t stop = first + queries;
    for (; i + kRows <= stop; i += kRows)
      weigh_rows<kRows>(i, begin, end, decay, out);
    if (i + 3 <= stop) {
      weigh_rows<3>(i, begin, end, decay, out);
      i += 3;
    }
    for (; i < stop; ++i)
      weigh_rows<1>(i, begin, end, decay, out);
  }

 private:
  static constexpr int kRows = 6;

  static __m512bh pair_at(const uint16_t* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof(pair));
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }

  /// 16 positions x 16 pairs at a time, transposed.
  void gather_keys(const uint16_t* k, const int64_t* offsets, int64_t count) {
    const int64_t pairs = dim_ / 2;
    for (int64_t pair = 0; pair < pairs; pair += kLanes) {
      const __mmask16 mask = lane_mask(smaller(kLanes, pairs - pair));
      for (int64_t j = 0; j < kAttentionBlock; j += kLanes) {
        Vec square[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          square[i] = zero();
          if (j + i < count) square[i].v = _mm512_maskz_loadu_ps(mask, k + offsets[j + i] + 2 * pair);
        }
        transpose(square);
        for (int64_t i = 0; i < kLanes && pair + i < pairs; ++i)
          store(reinterpret_cast<float*>(keys_ + (pair + i) * kAttentionBlock + j), square[i]);
      }
    }
  }

  void gather_values(const uint16_t* v, const int64_t* offsets, int64_t count) {
    for (int64_t d = 0; d < dim_; d += kLanes) {
      const __mmask16 mask = lane_mask(smaller(kLanes, dim_ - d));
      for (int64_t j = 0; j < count; j += 2) {
        const __m256i first = _mm256_maskz_loadu_epi16(mask, v + offsets[j] + d);
        const __m256i second =
            j + 1 < count ? _mm256_maskz_loadu_epi16(mask, v + offsets[j + 1] + d) : _mm256_setzero_si256();
        const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16);
        _mm512_store_si512(values_ + j / 2 * padded_dim(dim_) + d,
                           _mm512_or_si512(_mm512_cvtepu16_epi32(first), high));
      }
    }
  }

  template <int R>
  void score_rows(int64_t i, float* s) const {
    const uint16_t* queries = queries_ + i * padded_dim(dim_);
    const int64_t stride = padded_dim(dim_);
    __m512 acc[R][kBlockVecs];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kBlockVecs; ++v)
        acc[r][v] = _mm512_setzero_ps();
    }
    for (int64_t pair = 0; pair < dim_ / 2; ++pair) {
      __m512bh keys[kBlockVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kBlockVecs; ++v)
        keys[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(keys_ + pair * kAttentionBlock + v * kLanes));
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512bh query = pair_at(queries + r * stride + 2 * pair);
#pragma GCC unroll 4
        for (int v = 0; v < kBlockVecs; ++v)
          acc[r][v] = _mm512_dpbf16_ps(acc[r][v], keys[v], query);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kBlockVecs; ++v)
        _mm512_store_ps(s + (i + r) * kAttentionBlock + v * kLanes, acc[r][v]);
    }
  }

  template <int R>
  void weigh_rows(int64_t i, int64_t begin, int64_t end, const float* decay, float* out) const {
    const int64_t dim = padded_dim(dim_);
    int64_t d = 0;
    for (; d + 4 * kLanes <= dim; d += 4 * kLanes)
      weigh_columns<R, 4>(i, d, begin, end, decay, out);
    for (; d < dim; d += kLanes)
      weigh_columns<R, 1>(i, d, begin, end, decay, out);
  }

  template <int R, int V>
  void weigh_columns(int64_t i, int64_t d, int64_t begin, int64_t end, const float* decay, float* out) const {
    const int64_t dim = padded_dim(dim_);
    const uint16_t* weights = weights_ + i * kAttentionBlock;
    const uint32_t* values = values_ + d;
    __m512 acc[R][V];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        acc[r][v] =
            _mm512_mul_ps(_mm512_load_ps(out + (i + r) * dim + d + v * kLanes), _mm512_set1_ps(decay[i + r]));
    }
    // A pair of which only one position is in range is masked: 0 * NaN must not come in.
    const auto step = [&](int64_t pair, __m512i mask) __attribute__((always_inline)) {
      __m512bh value[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const __m512i raw = _mm512_load_si512(values + pair * dim + v * kLanes);
        value[v] = reinterpret_cast<__m512bh>(_mm512_and_si512(raw, mask));
      }
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512bh weight = pair_at(weights + r * kAttentionBlock + 2 * pair);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
          acc[r][v] = _mm512_dpbf16_ps(acc[r][v], value[v], weight);
      }
    };
    const __m512i all = _mm512_set1_epi32(-1);
    const int64_t last = (end - 1) / 2;
    for (int64_t pair = begin / 2; pair <= last; ++pair) {
      __m512i mask = all;
      if (pair * 2 < begin)
        mask = _mm512_and_si512(mask, _mm512_set1_epi32(static_cast<int32_t>(0xffff0000U)));
      if (pair * 2 + 1 >= end) mask = _mm512_and_si512(mask, _mm512_set1_epi32(0xffff));
      step(pair, mask);
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        _mm512_store_ps(out + (i + r) * dim + d + v * kLanes, acc[r][v]);
    }
  }

  int64_t dim_ = 0;
  alignas(64) uint16_t queries_[kQueries * kMaxHeadDim];            // [queries, padded_dim]
  alignas(64) uint16_t weights_[kQueries * kAttentionBlock];        // [queries, block]
  alignas(64) uint32_t keys_[kMaxHeadDim / 2 * kAttentionBlock];    // [head_dim / 2, block] pairs
  alignas(64) uint32_t values_[kAttentionBlock / 2 * kMaxHeadDim];  // [block / 2, padded_dim] pairs
};

}  // namespace
}  // namespace tessera::kernels::avx512bf16
