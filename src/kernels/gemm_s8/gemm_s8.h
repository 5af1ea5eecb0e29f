// Integer GEMM: quantized rows times packed 8- or 4-bit weights, float32 out.
//
//   per channel: y[m,n] = float(sum_k qx[m,k] * (qw[n,k] - z[n]) + o[n]) * sx[m] * sw[n] + bias[n]
//   groups:      y[m,n] = (sum_g float(sum_{k in g} qx * (qw - z[g,n])) * sw[g,n]) * sx[m] + bias[n]
//   and where the rows have scales per group too:
//                y[m,n] = (sum_g float(sum_{k in g} qx * (qw - z[g,n])) * sx[m,g] * sw[g,n]) + bias[n]
//   with g ascending, the last product and the addition fused. z: zero points or 0. o: offsets or 0.
//
// The integer sums are exact in int32 for k <= kMaxGemmS8K, also when every operand is the most extreme one.
// The float operations are the same, in the same order, for every tile shape, layout and instruction set: y
// has the same bits on every machine, for any row range, panel range and number of rows. Pure and
// thread-safe: callers split rows and panels over threads; [row_begin,row_end) x [panel_begin,panel_end) is
// all that is written. Columns from n on are never written.
#pragma once

#include <stdint.h>

#include "kernels/gemm_s8/pack_s8.h"
#include "kernels/quantize_rows/quantized_rows.h"

namespace tessera::kernels {

/// 255 * 128 * k stays below 2^31: codes -128, weights and zero points at opposite ends.
inline constexpr int64_t kMaxGemmS8K = 65536;

/// Packed weights: a view.
struct PackedS8 {
  const uint8_t* tiles =
      nullptr;  // [panels(n)][packed_s8_panel_bytes(k, bits)], 64-byte aligned for speed only
  const float* scales = nullptr;  // [panels(n), groups, kPanel], pack_scales()
  int64_t n = 0;
  int64_t k = 0;
  int bits = 8;                      // 8 or 4
  int64_t group_size = 0;            // 0: one scale per column; else a multiple of 32 that divides k
  const uint8_t* zeros = nullptr;    // likewise, pack_zeros(); null: all zero points are 0
  const int32_t* offsets = nullptr;  // [padded_n(n)], without groups only; null: 0
  S8Layout layout = S8Layout::kTiles;
};

struct GemmS8Args {
  QuantizedRows x;  // its group_size is 0 or a multiple of the weights'
  PackedS8 w;
  int x_bits = 8;               // 4: all codes of x are within -8..7 (AVX2 then sums products in 16 bits)
  const float* bias = nullptr;  // [n] or null
  float* y = nullptr;           // [rows, n]; row m at y + m * y_stride, m counted as in x
  int64_t y_stride = 0;         // elements
  bool accumulate = false;      // y += instead of y =
  int64_t row_begin = 0, row_end = 0;
  int64_t panel_begin = 0, panel_end = 0;
};

void gemm_s8(const GemmS8Args& args);

/// The integer sums, as [groups, rows, n]: sum m, n of group g at g * group_stride + m * row_stride + n. One
/// group without groups. For tests; no scales, no bias, and args.y is not touched.
struct Sums {
  int32_t* to = nullptr;
  int64_t row_stride = 0, group_stride = 0;
};
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums);

/// Name of the instruction set of the variant that both call.
const char* gemm_s8_variant();

}  // namespace tessera::kernels
