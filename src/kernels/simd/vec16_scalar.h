// Vec: 16 floats, in plain C++. The vocabulary that elementwise kernels (*_inl.h) are written in;
// vec16_avx2.h and vec16_avx512.h give the same operations with the same bits. min/max return the second
// operand when either is NaN or both are zero, as the hardware does. Everything is in an unnamed namespace:
// nothing leaks between instruction sets.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define TESSERA_ISA_NAMESPACE scalar

#include "kernels/simd/bf16_bits.h"

namespace tessera::kernels::scalar {
namespace {

inline constexpr int64_t kLanes = 16;
/// How many Vec fit the register file.
inline constexpr int kVecRegisters = 2;

struct Vec {
  float lane[16];
};

template <class Op>
inline Vec map(Vec a, Vec b, Op op) {
  Vec r;
  for (int i = 0; i < 16; ++i)
    r.lane[i] = op(a.lane[i], b.lane[i]);
  return r;
}
template <class Op>
inline Vec generate(Op op) {
  Vec r;
  for (int i = 0; i < 16; ++i)
    r.lane[i] = op(i);
  return r;
}

inline Vec set1(float x) {
  return generate([&](int) { return x; });
}
inline Vec zero() {
  return set1(0);
}
inline Vec load(const float* p) {
  return generate([&](int i) { return p[i]; });
}
/// The first n (0..16) lanes, the others 0; memory beyond is not touched.
inline Vec load_n(const float* p, int64_t n) {
  return generate([&](int i) { return i < n ? p[i] : 0.0F; });
}
inline void store(float* p, Vec a) {
  for (int i = 0; i < 16; ++i)
    p[i] = a.lane[i];
}
inline void store_n(float* p, Vec a, int64_t n) {
  for (int i = 0; i < n; ++i)
    p[i] = a.lane[i];
}
inline Vec add(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x + y; });
}
inline Vec sub(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x - y; });
}
inline Vec mul(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x * y; });
}
inline Vec div(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x / y; });
}
inline Vec min(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x < y ? x : y; });
}
inline Vec max(Vec a, Vec b) {
  return map(a, b, [](float x, float y) { return x > y ? x : y; });
}
/// a * b + c, rounded once.
inline Vec fma(Vec a, Vec b, Vec c) {
  return generate([&](int i) { return fmaf(a.lane[i], b.lane[i], c.lane[i]); });
}
/// Nearest integer, half to even; for |a| < 2^22, NaN stays NaN. Adding and removing 1.5 * 2^23 rounds like
/// that.
inline Vec round_even(Vec a) {
  return map(a, a, [](float x, float) { return (x + 0x1.8p23F) - 0x1.8p23F; });
}
/// 2^n for integral n in -126..127.
inline Vec exp2_integral(Vec n) {
  return generate([&](int i) {
    // lrintf, not a cast: NaN may come by.
    const uint32_t bits = (static_cast<uint32_t>(__builtin_lrintf(n.lane[i])) + 127U) << 23;
    float r;
    __builtin_memcpy(&r, &bits, sizeof(r));
    return r;
  });
}
/// 0 where a < limit, else value (also where a is NaN).
inline Vec zero_if_lt(Vec value, Vec a, Vec limit) {
  return generate([&](int i) { return a.lane[i] < limit.lane[i] ? 0.0F : value.lane[i]; });
}
/// Lanes i and i+8, then i+4, i+2, i+1.
inline float reduce_add(Vec a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i)
      a.lane[i] += a.lane[i + half];
  }
  return a.lane[0];
}
inline float reduce_max(Vec a) {
  float r = a.lane[0];
  for (int i = 1; i < 16; ++i)
    r = a.lane[i] > r ? a.lane[i] : r;
  return r;
}
inline float reduce_min(Vec a) {
  float r = a.lane[0];
  for (int i = 1; i < 16; ++i)
    r = a.lane[i] < r ? a.lane[i] : r;
  return r;
}

inline Vec load_bf16(const uint16_t* p) {
  return generate([&](int i) { return widen(p[i]); });
}
/// 16 pairs of bf16: the first of each pair, and the second.
inline void load_bf16_pairs(const uint16_t* p, Vec& even, Vec& odd) {
  even = generate([&](int i) { return widen(p[2 * i]); });
  odd = generate([&](int i) { return widen(p[2 * i + 1]); });
}
/// One pair to all lanes.
inline void set1_bf16_pair(const uint16_t* p, Vec& even, Vec& odd) {
  even = set1(widen(p[0]));
  odd = set1(widen(p[1]));
}
inline void store_bf16(uint16_t* p, Vec a) {
  for (int i = 0; i < 16; ++i)
    p[i] = narrow(a.lane[i]);
}
/// Each lane rounded to bf16 and widened again.
inline Vec round_bf16(Vec a) {
  return generate([&](int i) { return widen(narrow(a.lane[i])); });
}

/// m[i].lane[j] becomes m[j].lane[i].
inline void transpose(Vec (&m)[16]) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < i; ++j) {
      const float t = m[i].lane[j];
      m[i].lane[j] = m[j].lane[i];
      m[j].lane[i] = t;
    }
  }
}

/// Running extremes of floats, as bits: the largest as signed integers is the largest float that is not
/// negative, the largest as unsigned ones is the lowest negative float. Infinity and NaN come out above all
/// finite numbers: one pass finds the range of a row and what poisons it.
struct Extremes {
  int32_t high = 0;
  uint32_t low = 0;
};
inline void take(Extremes& e, Vec v) {
  for (const float& lane : v.lane) {
    int32_t bits;
    __builtin_memcpy(&bits, &lane, sizeof(bits));
    const auto unsigned_bits = static_cast<uint32_t>(bits);
    e.high = bits > e.high ? bits : e.high;
    e.low = unsigned_bits > e.low ? unsigned_bits : e.low;
  }
}
inline void merge(Extremes& a, const Extremes& b) {
  a.high = b.high > a.high ? b.high : a.high;
  a.low = b.low > a.low ? b.low : a.low;
}
inline int32_t high_bits(const Extremes& e) {
  return e.high;
}
inline uint32_t low_bits(const Extremes& e) {
  return e.low;
}

/// Lanes that round to -128..127, rounded half to even -> 16 bytes.
inline void store_codes(int8_t* p, Vec a) {
  const Vec rounded = round_even(a);
  for (int i = 0; i < 16; ++i)
    p[i] = static_cast<int8_t>(rounded.lane[i]);
}
inline void store_codes(int8_t* p, Vec a, Vec b, Vec c, Vec d) {
  store_codes(p, a);
  store_codes(p + 16, b);
  store_codes(p + 32, c);
  store_codes(p + 48, d);
}
/// sums[i] = the sum of codes 32 i .. 32 i + 31.
inline void sum_blocks(const int8_t* codes, int64_t blocks, int32_t* sums) {
  for (int64_t block = 0; block < blocks; ++block) {
    sums[block] = 0;
    for (int64_t i = 0; i < 32; ++i)
      sums[block] += codes[block * 32 + i];
  }
}

/// x / s rounded as a division rounds it. `inverse` is 1 / s; s within 2^-60..2^60, |x / s| < 2^12, and
/// quotients below 2^-24 may be off (they round to code 0).
inline Vec divide(Vec x, Vec s, Vec) {
  return div(x, s);
}

}  // namespace
}  // namespace tessera::kernels::scalar
