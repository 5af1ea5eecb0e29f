// The body of quantize_rows for whichever vec16_*.h was included before.
#pragma once

#include "kernels/quantize_rows/quantize_rows.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// The row's scale; NaN when it contains NaN or infinity.
inline float row_scale(const float* x, int64_t k, const CodeRange& range) {
  Vec high = zero(), low = zero(), poison = zero();
  const auto take = [&](Vec v) {
    high = max(high, v);
    low = min(low, v);
    // 0 for every finite number, NaN for NaN and infinity: cheaper than comparing.
    poison = add(poison, mul(v, zero()));
  };
  int64_t i = 0;
  for (; i + kLanes <= k; i += kLanes)
    take(load(x + i));
  if (i < k) take(load_n(x + i, k - i));
  const float positive = reduce_max(high) / range.positive_divisor;
  const float negative = -reduce_min(low) / range.negative_divisor;
  if (reduce_add(poison) != 0.0F) return __builtin_nanf("");
  return positive > negative ? positive : negative;
}

/// One block of 32 codes; returns their sum. `valid` (1..32) columns exist.
inline int32_t quantize_block(const float* x, int64_t valid, Vec scale, const CodeRange& range,
                              int8_t* codes) {
  const Vec low = set1(static_cast<float>(range.min_code)), high = set1(static_cast<float>(range.max_code));
  int32_t sum = 0;
  for (int64_t i = 0; i < kSumBlock; i += kLanes) {
    const int64_t rest = valid - i;
    const Vec v = rest >= kLanes ? load(x + i) : rest > 0 ? load_n(x + i, rest) : zero();
    // Clamped first: the bounds are integers, so the order does not matter, and the conversion cannot
    // overflow.
    sum += store_codes(codes + i, round_even(max(min(div(v, scale), high), low)));
  }
  return sum;
}

inline void quantize_row(const float* x, const QuantizeRowsArgs& args, int64_t row) {
  int8_t* codes = args.codes + row * args.codes_stride;
  int32_t* sums = args.block_sums + row * args.sums_stride;
  const float scale = row_scale(x, args.k, args.range);
  args.scales[row] = scale;
  const int64_t padded = padded_k(args.k);
  // Zero or NaN.
  const int64_t used = scale > 0.0F ? args.k : 0;
  for (int64_t i = 0; i < padded; i += kSumBlock) {
    if (i < used) {
      const int64_t valid = used - i < kSumBlock ? used - i : kSumBlock;
      sums[i / kSumBlock] = quantize_block(x + i, valid, set1(scale), args.range, codes + i);
    } else {
      __builtin_memset(codes + i, 0, kSumBlock);
      sums[i / kSumBlock] = 0;
    }
  }
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row)
    quantize_row(args.x + row * args.x_stride, args, row);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
