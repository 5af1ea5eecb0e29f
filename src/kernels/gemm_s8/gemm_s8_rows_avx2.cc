// gemm_s8 over row-major weights without VNNI, 2 rows x 4 columns.
//
// 8 bits: both operands widened to 16 bits, vpmaddwd: exact. 4 bits: vpmaddubsw summed in 16 bits for as many
// additions as are exact (gemm_s8_avx2.cc): one addition per 32 k, of two products each.
#include "kernels/simd/vec16_avx2.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"
#include "kernels/gemm_s8/products_avx2.h"

namespace tessera::kernels::avx2 {
namespace {

inline constexpr int kRowsAtOnce = 2;
// 15 * 128 * 2 * 8 and 15 * 8 * 2 * 128: both 30720.
inline constexpr int64_t kShortSpanCodes8 = 8 * 32;
inline constexpr int64_t kShortSpanCodes4 = 128 * 32;

inline Vec to_float(const int32_t* sums) {
  const auto* from = reinterpret_cast<const __m256i*>(sums);
  return {_mm256_cvtepi32_ps(_mm256_loadu_si256(from)), _mm256_cvtepi32_ps(_mm256_loadu_si256(from + 1))};
}

/// The sums of the 8 lanes of four registers.
inline __m128i sum_lanes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i parts = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
}

inline __m128i load16(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
inline __m256i load32(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

template <int R>
inline void dot_bytes(const uint8_t* w, int64_t row_bytes, const int8_t* x, int64_t stride, int64_t k_begin,
                      int64_t k_end, __m256i (&acc)[R][4]) {
  for (int64_t k = k_begin; k < k_end; k += 16) {
    __m256i four[4];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c)
      four[c] = _mm256_cvtepu8_epi16(load16(w + c * row_bytes + k));
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      const __m256i codes = _mm256_cvtepi8_epi16(load16(x + r * stride + k));
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c)
        add_products16(acc[r][c], four[c], codes);
    }
  }
}

/// At most kShortSpan columns.
template <int R>
inline void dot_nibbles(const uint8_t* w, int64_t row_bytes, const int8_t* x, int64_t stride, int64_t k_begin,
                        int64_t k_end, __m256i (&acc)[R][4]) {
  const __m256i low_nibbles = _mm256_set1_epi8(0x0f);
  __m256i words[R][4];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r)
    words[r][0] = words[r][1] = words[r][2] = words[r][3] = _mm256_setzero_si256();
  for (int64_t k = k_begin; k < k_end; k += 32) {
    const int shift = k % 64 == 0 ? 0 : 4;
    __m256i codes[R];
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r)
      codes[r] = load32(x + r * stride + k);
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const __m256i raw = _mm256_srli_epi16(load32(w + c * row_bytes + k / 64 * 32), shift);
      const __m256i weights = _mm256_and_si256(raw, low_nibbles);
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r)
        add_products8(words[r][c], weights, codes[r]);
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c)
      acc[r][c] = _mm256_add_epi32(acc[r][c], _mm256_madd_epi16(words[r][c], _mm256_set1_epi16(1)));
  }
}

template <int R>
inline void dot_fours(const Tile& t, int64_t k_begin, int64_t k_end, int64_t column,
                      int32_t (*sums)[kPanel]) {
  const PackedS8& w = t.args->w;
  const int64_t row_bytes = packed_s8_panel_bytes(w.k, w.bits) / kPanel;
  const uint8_t* weights = w.tiles + (t.panel * kPanel + column) * row_bytes;
  const int64_t stride = t.args->x.codes_stride;
  const int8_t* x = t.args->x.codes + t.row * stride;
  __m256i acc[R][4];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r)
    acc[r][0] = acc[r][1] = acc[r][2] = acc[r][3] = _mm256_setzero_si256();
  if (w.bits == 8) {
    dot_bytes<R>(weights, row_bytes, x, stride, k_begin, k_end, acc);
  } else {
    const int64_t span = t.args->x_bits == 4 ? kShortSpanCodes4 : kShortSpanCodes8;
    for (int64_t k = k_begin; k < k_end; k += span)
      dot_nibbles<R>(weights, row_bytes, x, stride, k, k_end - k < span ? k_end : k + span, acc);
  }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums[r] + column),
                     sum_lanes(acc[r][0], acc[r][1], acc[r][2], acc[r][3]));
  }
}

}  // namespace
}  // namespace tessera::kernels::avx2

#include "kernels/gemm_s8/gemm_s8_rows_inl.h"
