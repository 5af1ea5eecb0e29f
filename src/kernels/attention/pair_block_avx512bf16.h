// PairBlock: one block of a bf16 or int8 cache as pairs for vdpbf16ps. Tiles of a bf16 cache are used where
// they lie; int8 codes are widened to such tiles, which is exact. See attention_inl.h for what a Block is.
#pragma once

#include "kernels/attention/attention_inl.h"
#include "kernels/attention/tile_rows_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

/// 2^x: error 2^-18.5, far below what bf16 keeps of a weight. -inf gives 0, NaN and +inf give NaN.
inline __m512 exp2_of(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(0.009570101908F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.0559178603F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.2402474483F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.6931218147F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.9999992614F));
  return _mm512_scalef_ps(p, n);
}

/// Which of vector v's positions are in the span.
inline __mmask16 lanes_in(Span span, int64_t v) {
  const auto below = [v](int64_t limit) {
    return (1U << smaller(kLanes, larger(0, limit - v * kLanes))) - 1U;
  };
  return static_cast<__mmask16>(below(span.end) & ~below(span.begin));
}

/// Tiles that will be used soon, fetched a line or a few per step of the loops before: a core goes on past a
/// fetch only while its queue of misses has room. Pages follow each other in no order that the hardware could
/// guess: with this a core decodes at 21 GB/s from memory where plain loads of such pages reach 15.
class Ahead {
 public:
  void add(const char* tile) { tiles_[count_++] = tile; }
  bool done() const { return next_ == count_; }

  void fetch(int lines, int64_t tile_bytes) {
    if (done()) return;
    for (int line = 0; line < lines; ++line)
      _mm_prefetch(tiles_[next_] + at_ + line * 64, _MM_HINT_T0);
    at_ += lines * 64;
    if (at_ >= tile_bytes) {
      at_ = 0;
      ++next_;
    }
  }

 private:
  const char* tiles_[kAttentionBlock / kCacheTile];
  int64_t count_ = 0, next_ = 0, at_ = 0;
};

template <CacheType kType>
class PairBlock {
 public:
  static constexpr int64_t kRows = 6;
  static constexpr float kUnit = 1.44269504088896341F;  // log2(e)

  /// 8 as 4 + 4 and not as 6 + 2, in which each sum would wait for the one before.
  static int64_t rows_at_once(int64_t left) {
    return left > kRows && left < 2 * kRows ? (left + 1) / 2 : smaller(kRows, left);
  }

  static Vec decay(Vec fall) { return exp_nonpositive(mul(fall, set1(0.693147180559945309F))); }

  void load_query(int64_t i, const float* from, int64_t head_dim) {
    dim_ = head_dim;
    for (int64_t d = 0; d < head_dim; d += kLanes)
      store_bf16(queries_ + i * padded_dim(dim_) + d, load_n(from + d, smaller(kLanes, head_dim - d)));
  }

  void gather(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count, bool more) {
    tiles_ = (count + kCacheTile - 1) / kCacheTile;
    values_ahead_ = keys_ahead_ = {};
    if (!is_tiled(kType, args.page_size)) {
      gather_rows(args, kv_head, begin, count);
      return;
    }
    if (more) {
      for (int64_t t = 0; t < kBlockTiles; ++t) {
        const int64_t next = place_of(args, kv_head, begin + kAttentionBlock + t * kCacheTile).tile;
        keys_ahead_.add(static_cast<const char*>(args.k_cache) + next * element_bytes(kType));
        if (kScaled) values_ahead_.add(static_cast<const char*>(args.v_cache) + next);
      }
    }
    for (int64_t t = 0; t < tiles_; ++t) {
      const Place place = place_of(args, kv_head, begin + t * kCacheTile);
      key_tiles_[t] = key_tile(args.k_cache, place, t);
      value_tiles_[t] = value_tile(args.v_cache, place, t);
      if (!kScaled) values_ahead_.add(reinterpret_cast<const char*>(value_tiles_[t]));
    }
  }

  void scores(int64_t first, int64_t last) {
    for (int64_t i = first, rows; i < last; i += rows) {
      rows = rows_at_once(last - i);
      switch (rows) {
        case 1:
          score_rows<1>(i);
          break;
        case 2:
          score_rows<2>(i);
          break;
        case 3:
          score_rows<3>(i);
          break;
        case 4:
          score_rows<4>(i);
          break;
        case 5:
          score_rows<5>(i);
          break;
        default:
          score_rows<6>(i);
      }
    }
  }

  float largest(int64_t i, Span span) const {
    const float* s = scores_ + i * kAttentionBlock;
    // max() gives its second operand when one is NaN: NaN is passed over here and comes out in the weights.
    Vec best = set1(-__builtin_inff());
    if (span.begin == 0 && span.end == kAttentionBlock) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < kBlockVecs; ++v)
        best = max(load(s + v * kLanes), best);
      return reduce_max(best);
    }
    for (int64_t v = span.begin / kLanes; v * kLanes < span.end; ++v)
      best.v = _mm512_mask_max_ps(best.v, lanes_in(span, v), load(s + v * kLanes).v, best.v);
    return reduce_max(best);
  }

  Vec weights(int64_t i, Span span, float factor, float top) {
    if (span.begin == 0 && span.end == kAttentionBlock) return weights_of<true>(i, span, factor, top);
    return weights_of<false>(i, span, factor, top);
  }

  void weigh(int64_t i, int64_t rows, int64_t begin, int64_t end, const float* decay, float* out) {
    switch (rows) {
      case 1:
        weigh_rows<1>(i, begin, end, decay, out);
        break;
      case 2:
        weigh_rows<2>(i, begin, end, decay, out);
        break;
      case 3:
        weigh_rows<3>(i, begin, end, decay, out);
        break;
      case 4:
        weigh_rows<4>(i, begin, end, decay, out);
        break;
      case 5:
        weigh_rows<5>(i, begin, end, decay, out);
        break;
      default:
        weigh_rows<6>(i, begin, end, decay, out);
    }
  }

 private:
  static constexpr bool kScaled = kType == CacheType::kInt8;
  static constexpr int64_t kBlockTiles = kAttentionBlock / kCacheTile;
  static constexpr int64_t kTileWords = kCacheTile / 2 * kMaxHeadDim;
  static constexpr __mmask32 kFirst = 0x55555555, kSecond = 0xaaaaaaaa, kBoth = 0xffffffff;  // of every pair

  static __m512bh pair_at(const uint16_t* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof(pair));
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  static __m512bh pairs_at(const uint32_t* p) { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p)); }

  int64_t tile_bytes() const { return kCacheTile * dim_ * element_bytes(kType); }

  /// Of a tile, in elements from the cache's first; its scales, in bytes.
  struct Place {
    int64_t tile, scales;
  };
  Place place_of(const AttentionArgs& args, int64_t kv_head, int64_t position) const {
    const int64_t within = position % args.page_size;
    const int64_t chunk =
        args.pages[position / args.page_size] * args.strides.page + kv_head * args.strides.kv_head;
    return {chunk + within * dim_,
            chunk + args.page_size * dim_ + within * static_cast<int64_t>(sizeof(float))};
  }

  const uint32_t* key_tile(const void* cache, Place at, int64_t t) {
    if (!kScaled) return reinterpret_cast<const uint32_t*>(static_cast<const uint16_t*>(cache) + at.tile);
    const auto* codes = static_cast<const int8_t*>(cache);
    store(key_scales_ + t * kLanes, load(reinterpret_cast<const float*>(codes + at.scales)));
    widen_codes(codes + at.tile, keys_ + t * kTileWords, keys_ahead_);
    return keys_ + t * kTileWords;
  }

  const uint32_t* value_tile(const void* cache, Place at, int64_t t) {
    uint32_t* own = values_ + t * kTileWords;
    if (kScaled) {
      const auto* codes = static_cast<const int8_t*>(cache);
      store(value_scales_ + t * kLanes, load(reinterpret_cast<const float*>(codes + at.scales)));
      widen_codes(codes + at.tile, own, values_ahead_);
      if (dim_ % kLanes != 0) spread(own, own);
      return own;
    }
    const auto* tile = reinterpret_cast<const uint32_t*>(static_cast<const uint16_t*>(cache) + at.tile);
    if (dim_ % kLanes == 0) return tile;
    spread(tile, own);
    return own;
  }

  /// One tile; codes are below 2^8, so bf16 holds them. 16 x head_dim is a multiple of 64.
  void widen_codes(const int8_t* from, uint32_t* to, Ahead& ahead) const {
    for (int64_t i = 0; i < kCacheTile * dim_; i += 4 * kLanes) {
      ahead.fetch(1, kCacheTile * dim_);
#pragma GCC unroll 2
      for (int64_t j = i; j < i + 4 * kLanes; j += 2 * kLanes) {
        const auto half = [&](int64_t at) __attribute__((always_inline)) {
          const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
          return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes));
        };
        _mm512_storeu_si512(to + j / 2,
                            reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(half(j + kLanes), half(j))));
      }
    }
  }

  /// Rows of value pairs from head_dim apart to padded_dim apart; `to` may be `from`.
  void spread(const uint32_t* from, uint32_t* to) const {
    for (int64_t pair = kCacheTile / 2 - 1; pair >= 0; --pair)
      __builtin_memmove(to + pair * padded_dim(dim_), from + pair * dim_, static_cast<size_t>(dim_) * 4);
  }

  void gather_rows(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count) {
    for (int64_t t = 0; t < tiles_; ++t) {
      const int64_t tokens = smaller(kCacheTile, count - t * kCacheTile);
      const TileRows<kType> rows{args, kv_head, begin + t * kCacheTile, tokens, dim_};
      uint32_t *keys = keys_ + t * kTileWords, *values = values_ + t * kTileWords;
      rows.place(args.k_cache, keys, key_scales_ + t * kLanes,
                 [](int64_t token, int64_t d) { return d / 2 * 2 * kCacheTile + 2 * token + d % 2; });
      rows.place(args.v_cache, values, value_scales_ + t * kLanes, [this](int64_t token, int64_t d) {
        return token / 2 * 2 * padded_dim(dim_) + 2 * d + token % 2;
      });
      key_tiles_[t] = keys;
      value_tiles_[t] = values;
    }
  }

  template <int R>
  void score_rows(int64_t i) {
    switch (tiles_) {
      case 1:
        score_tiles<R, 1>(i);
        break;
      case 2:
        score_tiles<R, 2>(i);
        break;
      case 3:
        score_tiles<R, 3>(i);
        break;
      default:
        score_tiles<R, 4>(i);
    }
  }

  template <int R, int V>
  void score_tiles(int64_t i) {
    const int64_t stride = padded_dim(dim_);
    const uint16_t* queries = queries_ + i * stride;
    const uint32_t* tiles[V];
    __m512 acc[R][V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      tiles[v] = key_tiles_[v];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        acc[r][v] = _mm512_setzero_ps();
    }
    const bool fetch = !kScaled && !values_ahead_.done();
    for (int64_t pair = 0; pair < dim_ / 2; ++pair) {
      if (fetch) values_ahead_.fetch(V, tile_bytes());
      __m512bh keys[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        keys[v] = pairs_at(tiles[v] + pair * kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512bh query = pair_at(queries + r * stride + 2 * pair);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
          acc[r][v] = _mm512_dpbf16_ps(acc[r][v], keys[v], query);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        if (kScaled) acc[r][v] = _mm512_mul_ps(acc[r][v], _mm512_load_ps(key_scales_ + v * kLanes));
        _mm512_store_ps(scores_ + (i + r) * kAttentionBlock + v * kLanes, acc[r][v]);
      }
    }
  }

  template <bool kWhole>
  Vec weights_of(int64_t i, Span span, float factor, float top) {
    const float* s = scores_ + i * kAttentionBlock;
    const __m512 factors = _mm512_set1_ps(factor), shift = _mm512_set1_ps(-top);
    const __m512bh ones = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80));
    __m512 sum = _mm512_setzero_ps();
    const auto weight = [&](int64_t v) __attribute__((always_inline)) {
      if (kWhole) return exp2_of(_mm512_fmadd_ps(_mm512_load_ps(s + v * kLanes), factors, shift));
      const __mmask16 seen = lanes_in(span, v);
      const __m512 score = _mm512_maskz_load_ps(seen, s + v * kLanes);
      return _mm512_maskz_mov_ps(seen, exp2_of(_mm512_fmadd_ps(score, factors, shift)));
    };
    const auto scaled = [&](__m512 w, int64_t v) __attribute__((always_inline)) {
      const __mmask16 seen = kWhole ? __mmask16(0xffff) : lanes_in(span, v);
      return _mm512_maskz_mul_ps(seen, w, _mm512_load_ps(value_scales_ + v * kLanes));
    };
#pragma GCC unroll 2
    for (int64_t v = 0; v < kBlockVecs; v += 2) {
      __m512 low = weight(v), high = weight(v + 1);
      if (kScaled) {
        sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
        low = scaled(low, v);
        high = scaled(high, v + 1);
      }
      const __m512bh both = _mm512_cvtne2ps_pbh(high, low);
      // Of the weights as rounded, so that numerator and denominator agree.
      if (!kScaled) sum = _mm512_dpbf16_ps(sum, both, ones);
      _mm512_store_si512(weights_ + i * kAttentionBlock + v * kLanes, reinterpret_cast<__m512i>(both));
    }
    return {sum};
  }

  /// Columns in chunks of up to four vectors; 80 as 3 + 2, so that no chunk waits for its own sums.
  template <int R>
  void weigh_rows(int64_t i, int64_t begin, int64_t end, const float* decay, float* out) {
    int64_t d = 0, left = padded_dim(dim_) / kLanes;
    while (left > 0) {
      const int64_t vecs = left == 5 || left == 6 ? 3 : smaller(4, left);
      switch (vecs) {
        case 1:
          weigh_columns<R, 1>(i, d, begin, end, decay, out);
          break;
        case 2:
          weigh_columns<R, 2>(i, d, begin, end, decay, out);
          break;
        case 3:
          weigh_columns<R, 3>(i, d, begin, end, decay, out);
          break;
        default:
          weigh_columns<R, 4>(i, d, begin, end, decay, out);
      }
      d += vecs * kLanes;
      left -= vecs;
    }
  }

  template <int R, int V>
  void weigh_columns(int64_t i, int64_t d, int64_t begin, int64_t end, const float* decay, float* out) {
    const int64_t dim = padded_dim(dim_);
    const uint16_t* weights = weights_ + i * kAttentionBlock;
    __m512 acc[R][V];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        acc[r][v] =
            _mm512_mul_ps(_mm512_load_ps(out + (i + r) * dim + d + v * kLanes), _mm512_set1_ps(decay[i + r]));
    }
    const auto step = [&](const uint32_t* values, int64_t pair,
                          __mmask32 seen) __attribute__((always_inline)) {
      __m512bh value[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        value[v] = seen == kBoth
                       ? pairs_at(values + v * kLanes)
                       : reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(seen, values + v * kLanes));
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512bh weight = pair_at(weights + r * kAttentionBlock + 2 * pair);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
          acc[r][v] = _mm512_dpbf16_ps(acc[r][v], value[v], weight);
      }
    };
    constexpr int64_t kPairs = kCacheTile / 2;
    const auto values_at = [&](int64_t pair) {
      return value_tiles_[pair / kPairs] + pair % kPairs * dim + d;
    };
    const bool fetch = !kScaled && !keys_ahead_.done();
    int64_t pair = begin / 2;
    // A pair of which only one position is in range is masked: 0 * NaN must not come in.
    if (begin % 2 != 0) {
      step(values_at(pair), pair, kSecond);
      ++pair;
    }
    while (pair < end / 2) {
      const uint32_t* values = values_at(pair);
      for (const int64_t stop = smaller(end / 2, (pair / kPairs + 1) * kPairs); pair < stop; ++pair) {
        if (fetch) keys_ahead_.fetch(V, tile_bytes());
        step(values, pair, kBoth);
        values += dim;
      }
    }
    if (end % 2 != 0) step(values_at(pair), pair, kFirst);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        _mm512_store_ps(out + (i + r) * dim + d + v * kLanes, acc[r][v]);
    }
  }

  int64_t dim_ = 0, tiles_ = 0;
  // bf16: values of this block while its keys are used, then keys of the next. int8: both of the next.
  Ahead values_ahead_, keys_ahead_;
  const uint32_t* key_tiles_[kBlockTiles];                          // [head_dim / 2, 16] pairs
  const uint32_t* value_tiles_[kBlockTiles];                        // [8, padded_dim] pairs
  alignas(64) uint16_t queries_[kAttentionTile * kMaxHeadDim];      // [queries, padded_dim]
  alignas(64) float scores_[kAttentionTile * kAttentionBlock];      // [queries, block]
  alignas(64) uint16_t weights_[kAttentionTile * kAttentionBlock];  // [queries, block]
  alignas(64) float key_scales_[kAttentionBlock];
  alignas(64) float value_scales_[kAttentionBlock];
  // Tiles that are not used where they lie.
  alignas(64) uint32_t keys_[kBlockTiles * kTileWords];
  alignas(64) uint32_t values_[kBlockTiles * kTileWords];
};

}  // namespace
}  // namespace tessera::kernels::avx512bf16
