// Vec: 16 floats in one AVX-512 register. See vec16_scalar.h for the vocabulary.
#pragma once

// g++ 12 warns of its own _mm512_undefined_*() (gcc PR 105593), also where they are inlined.
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

// Files for AVX-512 with more extensions define their own name before they include this.
#ifndef TESSERA_ISA_NAMESPACE
#define TESSERA_ISA_NAMESPACE avx512
#endif

#include "kernels/simd/bf16_bits.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline constexpr int64_t kLanes = 16;
/// How many Vec fit the register file.
inline constexpr int kVecRegisters = 32;

struct Vec {
  __m512 v;
};

inline Vec set1(float x) {
  return {_mm512_set1_ps(x)};
}
inline Vec zero() {
  return {_mm512_setzero_ps()};
}
inline Vec load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline __mmask16 lane_mask(int64_t n) {
  return static_cast<__mmask16>((1U << n) - 1U);
}
inline Vec load_n(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(lane_mask(n), p)};
}
inline void store(float* p, Vec a) {
  _mm512_storeu_ps(p, a.v);
}
inline void store_n(float* p, Vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, lane_mask(n), a.v);
}
inline Vec add(Vec a, Vec b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Vec sub(Vec a, Vec b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Vec mul(Vec a, Vec b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Vec div(Vec a, Vec b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline Vec min(Vec a, Vec b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Vec max(Vec a, Vec b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec round_even(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec exp2_integral(Vec n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
}
inline Vec zero_if_lt(Vec value, Vec a, Vec limit) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, limit.v, _CMP_NLT_UQ), value.v)};
}

template <class Op>
inline float reduce(Vec a, Op op) {
  const __m512 v8 = op(a.v, _mm512_shuffle_f32x4(a.v, a.v, 0x4e));
  const __m512 v4 = op(v8, _mm512_shuffle_f32x4(v8, v8, 0xb1));
  const __m512 v2 = op(v4, _mm512_permute_ps(v4, 0x4e));
  return _mm512_cvtss_f32(op(v2, _mm512_permute_ps(v2, 0xb1)));
}
inline float reduce_add(Vec a) {
  return reduce(a, [](__m512 x, __m512 y) { return _mm512_add_ps(x, y); });
}
inline float reduce_max(Vec a) {
  return reduce(a, [](__m512 x, __m512 y) { return _mm512_max_ps(x, y); });
}
inline float reduce_min(Vec a) {
  return reduce(a, [](__m512 x, __m512 y) { return _mm512_min_ps(x, y); });
}

inline Vec load_bf16(const uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
/// bf16 bits in the low half of each 32-bit lane. By hand: vcvtneps2bf16 flushes denormals.
inline __m512i narrow(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i high = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
}
/// 16 pairs of bf16: the first of each pair, and the second.
inline void split_pairs(__m512i pairs, Vec& even, Vec& odd) {
  even.v = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  odd.v = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int32_t>(0xffff0000U))));
}
inline void load_bf16_pairs(const uint16_t* p, Vec& even, Vec& odd) {
  split_pairs(_mm512_loadu_si512(p), even, odd);
}
/// One pair to all lanes.
inline void set1_bf16_pair(const uint16_t* p, Vec& even, Vec& odd) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  split_pairs(_mm512_set1_epi32(pair), even, odd);
}
inline void store_bf16(uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(narrow(a.v)));
}
/// Each lane rounded to bf16 and widened again.
inline Vec round_bf16(Vec a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(narrow(a.v), 16))};
}

/// m[i].lane[j] becomes m[j].lane[i].
inline void transpose(Vec (&m)[16]) {
  __m512 t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(m[i].v, m[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(m[i].v, m[i + 1].v);
  }
  // Now 4 x 4 blocks: m[4b + c] has column c of each 128-bit part of rows 4b..4b+3.
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    m[i].v = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    m[i + 1].v = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    m[i + 2].v = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    m[i + 3].v = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  // Transpose the 128-bit parts of m[c], m[c + 4], m[c + 8], m[c + 12].
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 a = _mm512_shuffle_f32x4(m[c].v, m[c + 4].v, 0x44);
    const __m512 b = _mm512_shuffle_f32x4(m[c].v, m[c + 4].v, 0xee);
    const __m512 d = _mm512_shuffle_f32x4(m[c + 8].v, m[c + 12].v, 0x44);
    const __m512 e = _mm512_shuffle_f32x4(m[c + 8].v, m[c + 12].v, 0xee);
    t[c] = _mm512_shuffle_f32x4(a, d, 0x88);
    t[c + 4] = _mm512_shuffle_f32x4(a, d, 0xdd);
    t[c + 8] = _mm512_shuffle_f32x4(b, e, 0x88);
    t[c + 12] = _mm512_shuffle_f32x4(b, e, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i)
    m[i].v = t[i];
}

/// See vec16_scalar.h.
struct Extremes {
  __m512i high = _mm512_setzero_si512();
  __m512i low = _mm512_setzero_si512();
};
inline void take(Extremes& e, Vec v) {
  e.high = _mm512_max_epi32(e.high, _mm512_castps_si512(v.v));
  e.low = _mm512_max_epu32(e.low, _mm512_castps_si512(v.v));
}
inline void merge(Extremes& a, const Extremes& b) {
  a.high = _mm512_max_epi32(a.high, b.high);
  a.low = _mm512_max_epu32(a.low, b.low);
}
inline int32_t high_bits(const Extremes& e) {
  return _mm512_reduce_max_epi32(e.high);
}
inline uint32_t low_bits(const Extremes& e) {
  return _mm512_reduce_max_epu32(e.low);
}

inline void store_codes(int8_t* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
inline void store_codes(int8_t* p, Vec a, Vec b, Vec c, Vec d) {
  const auto words = [](Vec x, Vec y) {
    return _mm512_packs_epi32(_mm512_cvtps_epi32(x.v), _mm512_cvtps_epi32(y.v));
  };
  // Within 128-bit parts: four codes each of a, b, c, d.
  const __m512i mixed = _mm512_packs_epi16(words(a, b), words(c, d));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, mixed));
}

/// Sums of 8 blocks of 32 codes: fours by vpdpbusd, then a transposing tree; summing block by block took 40 %
/// of the quantizer's time.
inline void sum_8_blocks(const int8_t* codes, int32_t* sums) {
  __m512i fours[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    fours[i] =
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), _mm512_loadu_si512(codes + i * 64));
  const auto pairs = [](__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  };
  const __m512i a = pairs(fours[0], fours[1]), b = pairs(fours[2], fours[3]);
  // Each 128-bit part: the sums of its 16 codes for each of the four loads; parts 0 and 1 are the even
  // blocks.
  const __m512i parts = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  const __m512i both = _mm512_add_epi32(parts, _mm512_shuffle_i64x2(parts, parts, 0xb1));
  const __m128i even = _mm512_castsi512_si128(both), odd = _mm512_extracti32x4_epi32(both, 2);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), _mm_unpacklo_epi32(even, odd));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + 4), _mm_unpackhi_epi32(even, odd));
}
inline void sum_blocks(const int8_t* codes, int64_t blocks, int32_t* sums) {
  int64_t block = 0;
  for (; block + 8 <= blocks; block += 8)
    sum_8_blocks(codes + block * 32, sums + block);
  for (; block < blocks; ++block) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + block * 32));
    const __m256i fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), raw);
    sums[block] = _mm512_reduce_add_epi32(_mm512_zextsi256_si512(fours));
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
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
