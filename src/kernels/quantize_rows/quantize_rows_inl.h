// The body of quantize_rows for whichever vec16_*.h was included before.
#pragma once

#include "kernels/quantize_rows/quantize_rows.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline float as_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}

inline Extremes extremes(const float* x, int64_t k) {
  Extremes a, b;
  int64_t i = 0;
  for (; i + 2 * kLanes <= k; i += 2 * kLanes) {
    take(a, load(x + i));
    take(b, load(x + i + kLanes));
  }
  for (; i < k; i += kLanes)
    take(a, load_n(x + i, k - i < kLanes ? k - i : kLanes));
  merge(a, b);
  return a;
}

/// The scale of x[0..k); NaN when that contains NaN or infinity.
inline float scale_of(const float* x, int64_t k, const QuantizeRowsArgs& args) {
  constexpr uint32_t kInfinity = 0x7f800000, kSign = 0x80000000;
  const Extremes range = extremes(x, k);
  const auto high = static_cast<uint32_t>(high_bits(range));
  const uint32_t low = low_bits(range) >= kSign ? low_bits(range) - kSign : 0;  // magnitude
  if (high >= kInfinity || low >= kInfinity) return __builtin_nanf("");
  if (args.fixed_scale > 0) return args.fixed_scale;
  const float positive = as_float(high) / args.range.positive_divisor;
  const float negative = as_float(low) / args.range.negative_divisor;
  return positive > negative ? positive : negative;
}

/// A scale, ready for use.
struct Scale {
  Vec value, inverse, zero_point, low, high;
  bool ordinary;  // divide() is exact, and no quotient rounds to beyond the range
};

/// Whether the divisors alone keep every quotient within the codes: those of clipping rules do not.
inline bool fits(const CodeRange& range) {
  return range.positive_divisor < static_cast<float>(range.max_code) + 0.499F &&
         range.negative_divisor < 0.499F - static_cast<float>(range.min_code);
}

inline Scale make_scale(float scale, const QuantizeRowsArgs& args) {
  const bool exact = scale > 0x1p-60F && scale < 0x1p60F;
  return {set1(scale),
          set1(1.0F / scale),
          set1(static_cast<float>(args.zero_point)),
          set1(static_cast<float>(args.range.min_code)),
          set1(static_cast<float>(args.range.max_code)),
          args.fixed_scale == 0 && exact && fits(args.range)};
}

/// Clamped before it is rounded: the bounds are integers, so the order does not matter, and nothing can
/// overflow.
inline Vec code_of(Vec x, const Scale& s) {
  if (s.ordinary) return divide(x, s.value, s.inverse);
  return max(min(add(div(x, s.value), s.zero_point), s.high), s.low);
}

inline void store_code_vectors(const float* x, int64_t k, const Scale& s, int64_t next, int8_t* codes) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= k; i += 4 * kLanes) {
    // Rows that come from beyond the caches cost three times the arithmetic (512 x 3072, Zen 5) otherwise.
    for (int64_t line = 0; line < 4; ++line)
      __builtin_prefetch(x + i + next + line * kLanes, 0, 2);
    store_codes(codes + i, code_of(load(x + i), s), code_of(load(x + i + kLanes), s),
                code_of(load(x + i + 2 * kLanes), s), code_of(load(x + i + 3 * kLanes), s));
  }
  for (; i + kLanes <= k; i += kLanes)
    store_codes(codes + i, code_of(load(x + i), s));
  if (i == k) return;
  // Through a copy: codes beyond k may be another group's, or nobody's.
  int8_t last[kLanes];
  store_codes(last, code_of(load_n(x + i, k - i), s));
  __builtin_memcpy(codes + i, last, static_cast<size_t>(k - i));
}

/// A group, or a whole row. `next`: elements to what is read soon.
inline void quantize_group(const float* x, int64_t k, const QuantizeRowsArgs& args, int64_t next,
                           float* scale, int8_t* codes) {
  *scale = scale_of(x, k, args);
  // Otherwise zero or NaN: all codes are 0.
  if (*scale > 0.0F) {
    store_code_vectors(x, k, make_scale(*scale, args), next, codes);
  } else {
    __builtin_memset(codes, 0, static_cast<size_t>(k));
  }
}

inline void quantize_row(const float* x, const QuantizeRowsArgs& args, int64_t row) {
  int8_t* codes = args.codes + row * args.codes_stride;
  float* scales = args.scales + row * args.scales_stride;
  const int64_t step = args.group_size == 0 ? args.k : args.group_size;
  for (int64_t k = 0; k < args.k; k += step)
    quantize_group(x + k, step, args, args.x_stride, scales + k / step, codes + k);
  const int64_t padded = padded_k(args.k);
  __builtin_memset(codes + args.k, 0, static_cast<size_t>(padded - args.k));
  sum_blocks(codes, padded / kSumBlock, args.block_sums + row * args.sums_stride);
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row)
    quantize_row(args.x + row * args.x_stride, args, row);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
