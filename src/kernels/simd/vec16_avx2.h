// Vec: 16 floats in two AVX2 registers. See vec16_scalar.h for the vocabulary.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TESSERA_ISA_NAMESPACE avx2

#include "kernels/simd/bf16_bits.h"

namespace tessera::kernels::avx2 {
namespace {

inline constexpr int64_t kLanes = 16;
/// How many Vec fit the register file.
inline constexpr int kVecRegisters = 8;

struct Vec {
  __m256 lo, hi;
};

inline Vec set1(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline Vec zero() {
  return set1(0);
}
inline Vec load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

/// All ones in the first n of 8 lanes.
inline __m256i lane_mask(int64_t n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)), index);
}
inline Vec load_n(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, lane_mask(n)),
          n > 8 ? _mm256_maskload_ps(p + 8, lane_mask(n - 8)) : _mm256_setzero_ps()};
}
inline void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline void store_n(float* p, Vec a, int64_t n) {
  _mm256_maskstore_ps(p, lane_mask(n), a.lo);
  if (n > 8) _mm256_maskstore_ps(p + 8, lane_mask(n - 8), a.hi);
}
inline Vec add(Vec a, Vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline Vec sub(Vec a, Vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline Vec mul(Vec a, Vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline Vec div(Vec a, Vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline Vec min(Vec a, Vec b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
inline Vec max(Vec a, Vec b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline Vec round_even(Vec a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
}
inline __m256 exp2_integral(__m256 n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
inline Vec exp2_integral(Vec n) {
  return {exp2_integral(n.lo), exp2_integral(n.hi)};
}
inline Vec zero_if_lt(Vec value, Vec a, Vec limit) {
  return {_mm256_andnot_ps(_mm256_cmp_ps(a.lo, limit.lo, _CMP_LT_OQ), value.lo),
          _mm256_andnot_ps(_mm256_cmp_ps(a.hi, limit.hi, _CMP_LT_OQ), value.hi)};
}

template <class Op>
inline float reduce(Vec a, Op op) {
  const __m256 v8 = op(a.lo, a.hi);
  const auto up = [](__m128 v) { return _mm256_castps128_ps256(v); };
  const __m128 v4 = _mm256_castps256_ps128(op(v8, up(_mm256_extractf128_ps(v8, 1))));
  const __m128 v2 = _mm256_castps256_ps128(op(up(v4), up(_mm_movehl_ps(v4, v4))));
  return _mm256_cvtss_f32(op(up(v2), up(_mm_movehdup_ps(v2))));
}
inline float reduce_add(Vec a) {
  return reduce(a, [](__m256 x, __m256 y) { return _mm256_add_ps(x, y); });
}
inline float reduce_max(Vec a) {
  return reduce(a, [](__m256 x, __m256 y) { return _mm256_max_ps(x, y); });
}
inline float reduce_min(Vec a) {
  return reduce(a, [](__m256 x, __m256 y) { return _mm256_min_ps(x, y); });
}

inline __m256 widen(__m128i bf16) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bf16), 16));
}
inline Vec load_bf16(const uint16_t* p) {
  return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
/// bf16 bits in the low half of each 32-bit lane.
inline __m256i narrow(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, quiet, nan);
}
/// 16 pairs of bf16: the first of each pair, and the second.
inline void split_pairs(__m256i lo, __m256i hi, Vec& even, Vec& odd) {
  const __m256i mask = _mm256_set1_epi32(static_cast<int32_t>(0xffff0000U));
  even = {_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))};
  odd = {_mm256_castsi256_ps(_mm256_and_si256(lo, mask)), _mm256_castsi256_ps(_mm256_and_si256(hi, mask))};
}
inline void load_bf16_pairs(const uint16_t* p, Vec& even, Vec& odd) {
  split_pairs(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16)), even, odd);
}
/// One pair to all lanes.
inline void set1_bf16_pair(const uint16_t* p, Vec& even, Vec& odd) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  const __m256i all = _mm256_set1_epi32(pair);
  split_pairs(all, all, even, odd);
}
inline void store_bf16(uint16_t* p, Vec a) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(narrow(a.lo), narrow(a.hi)), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}
/// Each lane rounded to bf16 and widened again.
inline Vec round_bf16(Vec a) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(narrow(a.lo), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(narrow(a.hi), 16))};
}

inline void transpose8(__m256 (&m)[8]) {
  __m256 t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(m[i], m[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(m[i], m[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    m[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    m[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    m[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    m[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256 low = m[i], high = m[i + 4];
    m[i] = _mm256_permute2f128_ps(low, high, 0x20);
    m[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
  }
}
/// m[i].lane[j] becomes m[j].lane[i]: four 8 x 8 blocks.
inline void transpose(Vec (&m)[16]) {
  __m256 a[8], b[8], c[8], d[8];
  for (int i = 0; i < 8; ++i) {
    a[i] = m[i].lo;
    b[i] = m[i].hi;
    c[i] = m[i + 8].lo;
    d[i] = m[i + 8].hi;
  }
  transpose8(a);
  transpose8(b);
  transpose8(c);
  transpose8(d);
  for (int i = 0; i < 8; ++i) {
    m[i] = {a[i], c[i]};
    m[i + 8] = {b[i], d[i]};
  }
}

/// See vec16_scalar.h.
struct Extremes {
  __m256i high = _mm256_setzero_si256();
  __m256i low = _mm256_setzero_si256();
};
inline void take(Extremes& e, Vec v) {
  const __m256i lo = _mm256_castps_si256(v.lo), hi = _mm256_castps_si256(v.hi);
  e.high = _mm256_max_epi32(e.high, _mm256_max_epi32(lo, hi));
  e.low = _mm256_max_epu32(e.low, _mm256_max_epu32(lo, hi));
}
inline void merge(Extremes& a, const Extremes& b) {
  a.high = _mm256_max_epi32(a.high, b.high);
  a.low = _mm256_max_epu32(a.low, b.low);
}
inline int32_t high_bits(const Extremes& e) {
  __m128i v = _mm_max_epi32(_mm256_castsi256_si128(e.high), _mm256_extracti128_si256(e.high, 1));
  v = _mm_max_epi32(v, _mm_shuffle_epi32(v, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(v, _mm_shuffle_epi32(v, 0xb1)));
}
inline uint32_t low_bits(const Extremes& e) {
  __m128i v = _mm_max_epu32(_mm256_castsi256_si128(e.low), _mm256_extracti128_si256(e.low, 1));
  v = _mm_max_epu32(v, _mm_shuffle_epi32(v, 0x4e));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(v, _mm_shuffle_epi32(v, 0xb1))));
}

inline void store_codes(int8_t* p, Vec a) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
  const __m128i lo = _mm256_castsi256_si128(ordered), hi = _mm256_extracti128_si256(ordered, 1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(lo, hi));
}
inline void store_codes(int8_t* p, Vec a, Vec b, Vec c, Vec d) {
  const auto pack = [](Vec first, Vec second) {
    // Within 128-bit halves: first.lo first.hi second.lo second.hi, of each the lower and the upper fours.
    const __m256i words =
        _mm256_packs_epi16(_mm256_packs_epi32(_mm256_cvtps_epi32(first.lo), _mm256_cvtps_epi32(first.hi)),
                           _mm256_packs_epi32(_mm256_cvtps_epi32(second.lo), _mm256_cvtps_epi32(second.hi)));
    return _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  };
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), pack(a, b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), pack(c, d));
}
inline void sum_blocks(const int8_t* codes, int64_t blocks, int32_t* sums) {
  for (int64_t block = 0; block < blocks; ++block) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + block * 32));
    const __m256i fours =
        _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), raw), _mm256_set1_epi16(1));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sums[block] = _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
  }
}

/// x / s rounded as a division rounds it: see vec16_scalar.h. Two corrections by the exact remainder: the
/// first makes the quotient faithful, the second exact (Markstein).
inline Vec divide(Vec x, Vec s, Vec inverse) {
  const Vec minus = sub(zero(), s);
  Vec q = mul(x, inverse);
  q = fma(fma(minus, q, x), inverse, q);
  return fma(fma(minus, q, x), inverse, q);
}

}  // namespace
}  // namespace tessera::kernels::avx2
