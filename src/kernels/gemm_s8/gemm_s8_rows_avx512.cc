// gemm_s8 over row-major weights with vpdpbusd: 6 rows x 4 columns = 24 accumulators of 16 partial sums; per
// 64 k 4 loads of weights and 6 of codes for 24 products.
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"
#include "kernels/gemm_s8/products_avx512.h"

namespace tessera::kernels::avx512 {
namespace {

inline constexpr int kRowsAtOnce = 6;

inline Vec to_float(const int32_t* sums) {
  return {_mm512_cvtepi32_ps(_mm512_load_si512(sums))};
}

/// The sums of the 16 lanes of four registers.
inline __m128i sum_lanes(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i parts = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(parts), _mm512_extracti64x4_epi64(parts, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

/// 64 weights of a row from k on, a multiple of 64.
template <int kBits>
inline __m512i weights_at(const uint8_t* row, int64_t k) {
  if constexpr (kBits == 8) return _mm512_loadu_si512(row + k);
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + k / 2));
  const __m512i shifts = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(4), 1);
  const __m512i both = _mm512_srlv_epi16(_mm512_broadcast_i64x4(raw), shifts);
  return _mm512_and_si512(both, _mm512_set1_epi8(0x0f));
}

/// 32 weights, k a multiple of 32; the upper half is 0.
template <int kBits>
inline __m512i half_weights_at(const uint8_t* row, int64_t k) {
  const uint8_t* from = kBits == 8 ? row + k : row + k / 64 * 32;
  __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  if constexpr (kBits == 4) {
    if (k % 64 != 0) raw = _mm256_srli_epi16(raw, 4);
    raw = _mm256_and_si256(raw, _mm256_set1_epi8(0x0f));
  }
  return _mm512_zextsi256_si512(raw);
}

template <int R, int kBits>
inline void dot_fours_of(const Tile& t, int64_t k_begin, int64_t k_end, int64_t column,
                         int32_t (*sums)[kPanel]) {
  const PackedS8& w = t.args->w;
  const int64_t row_bytes = packed_s8_panel_bytes(w.k, kBits) / kPanel;
  const uint8_t* weights = w.tiles + (t.panel * kPanel + column) * row_bytes;
  const int64_t stride = t.args->x.codes_stride;
  const int8_t* x = t.args->x.codes + t.row * stride;
  __m512i acc[R][4];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    acc[r][0] = acc[r][1] = acc[r][2] = acc[r][3] = _mm512_setzero_si512();
  for (int64_t k = k_begin; k < k_end;) {
    const bool whole = k % 64 == 0 && k + 64 <= k_end;
    __m512i four[4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const uint8_t* row = weights + c * row_bytes;
      four[c] = whole ? weights_at<kBits>(row, k) : half_weights_at<kBits>(row, k);
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      // The upper half of a half step meets weights of 0; codes are padded to 64, so it can be read.
      const __m512i codes = whole || k % 64 == 0 ? _mm512_loadu_si512(x + r * stride + k)
                                                 : _mm512_zextsi256_si512(_mm256_loadu_si256(
                                                       reinterpret_cast<const __m256i*>(x + r * stride + k)));
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c)
        multiply_add(acc[r][c], four[c], codes);
    }
    k += whole ? 64 : 32;
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    _mm_store_si128(reinterpret_cast<__m128i*>(sums[r] + column),
                    sum_lanes(acc[r][0], acc[r][1], acc[r][2], acc[r][3]));
  }
}

template <int R>
inline void dot_fours(const Tile& t, int64_t k_begin, int64_t k_end, int64_t column,
                      int32_t (*sums)[kPanel]) {
  if (t.args->w.bits == 8) {
    dot_fours_of<R, 8>(t, k_begin, k_end, column, sums);
  } else {
    dot_fours_of<R, 4>(t, k_begin, k_end, column, sums);
  }
}

}  // namespace
}  // namespace tessera::kernels::avx512

#include "kernels/gemm_s8/gemm_s8_rows_inl.h"
