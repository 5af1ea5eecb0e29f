// The body of quantize_rows for whichever vec16_*.h was included before.
#pragma once

#include "kernels/quantize_rows/quantize_rows.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// What one pass over a row gathers; four of them side by side, for chains of dependent instructions a
/// quarter as long.
struct Extent {
  Vec high, low, poison;

  inline __attribute__((always_inline)) void take(Vec v) {
    high = max(high, v);
    low = min(low, v);
    // 0 for every finite number, NaN for NaN and infinity: cheaper than comparing.
    poison = add(poison, mul(v, zero()));
  }
  inline __attribute__((always_inline)) void merge(const Extent& other) {
    high = max(high, other.high);
    low = min(low, other.low);
    poison = add(poison, other.poison);
  }
};

/// The row's scale; NaN when it contains NaN or infinity.
inline float row_scale(const float* x, int64_t k, const CodeRange& range) {
  const Extent nothing{zero(), zero(), zero()};
  Extent a = nothing, b = nothing, c = nothing, d = nothing;
  int64_t i = 0;
  for (; i + 4 * kLanes <= k; i += 4 * kLanes) {
    a.take(load(x + i));
    b.take(load(x + i + kLanes));
    c.take(load(x + i + 2 * kLanes));
    d.take(load(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= k; i += kLanes)
    a.take(load(x + i));
  if (i < k) b.take(load_n(x + i, k - i));
  c.merge(d);
  b.merge(c);
  a.merge(b);
  const float positive = reduce_max(a.high) / range.positive_divisor;
  const float negative = -reduce_min(a.low) / range.negative_divisor;
  if (reduce_add(a.poison) != 0.0F) return __builtin_nanf("");
  return positive > negative ? positive : negative;
}

/// A row's scale, ready for use.
struct Scale {
  Vec value, inverse, low, high;
  bool ordinary;  // divide() is exact
};

inline Scale make_scale(float scale, const CodeRange& range) {
  return {set1(scale), set1(1.0F / scale), set1(static_cast<float>(range.min_code)),
          set1(static_cast<float>(range.max_code)), scale > 0x1p-60F && scale < 0x1p60F};
}

/// Clamped before it is rounded: the bounds are integers, so the order does not matter, and nothing can
/// overflow.
inline Vec code_of(Vec x, const Scale& s) {
  const Vec quotient = s.ordinary ? divide(x, s.value, s.inverse) : div(x, s.value);
  return round_even(max(min(quotient, s.high), s.low));
}

inline void quantize_row(const float* x, const QuantizeRowsArgs& args, int64_t row) {
  int8_t* codes = args.codes + row * args.codes_stride;
  const float scale = row_scale(x, args.k, args.range);
  args.scales[row] = scale;
  const Scale s = make_scale(scale, args.range);
  int64_t i = 0;
  // Otherwise zero or NaN: all codes are 0.
  if (scale > 0.0F) {
    for (; i + kLanes <= args.k; i += kLanes)
      store_codes(codes + i, code_of(load(x + i), s));
    if (i < args.k) {
      store_codes(codes + i, code_of(load_n(x + i, args.k - i), s));
      i += kLanes;
    }
  }
  const int64_t padded = padded_k(args.k);
  __builtin_memset(codes + i, 0, static_cast<size_t>(padded - i));
  sum_blocks(codes, padded / kSumBlock, args.block_sums + row * args.sums_stride);
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row)
    quantize_row(args.x + row * args.x_stride, args, row);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
