// GEMM with 4- or 8-bit weights and activations that stay float (W4A16, W8A16): weights stay packed in memory
// and are unpacked on their way to the multiplier, a block of a panel at a time.
//
//   y[m,n] (+)= sum_b dot_b[m,n] * scale[n, group of b] + bias[n]
//   dot_b[m,n] = sum_{k in b} x[m,k] * (code[n,k] - zero[n, group of b])
//
// b runs over blocks of sum_block(group_size) columns, ascending: a fused multiply-add to the sum before it.
// Within a block, pairs (2i, 2i+1) ascending in one float32 accumulator from 0; in a pair the odd product
// first, then the even one, each a fused multiply-add. code - zero is exact in bf16 and float32
// (|code - zero| <= 255), so weights are never rounded: not the product of code and scale, as dequantizing to
// bf16 would. avx512bf16 uses vdpbf16ps for bf16 rows, which flushes denormal inputs and results to zero;
// otherwise the result has the same bits on every instruction set, for any row range, panel range and number
// of rows. NaN and infinity in a row stay in that row's outputs. Pure and thread-safe: see gemm_s8.h for the
// ranges.
#pragma once

#include <stdint.h>

#include "kernels/gemm_unpack/pack_codes.h"

namespace tessera::kernels {

/// Packed weights: a view. See pack_codes.h.
struct PackedCodes {
  const uint8_t* tiles = nullptr;  // [panels(n)][packed_codes_panel_bytes(k, bits)]
  const float* scales = nullptr;   // [panels(n)][groups][16]
  const int8_t* zeros = nullptr;   // [panels(n)][groups][16], as signed as the codes; null: symmetric
  int64_t n = 0;
  int64_t k = 0;
  int bits = 4;            // 4 or 8
  int64_t group_size = 0;  // 0: one scale per column; else a multiple of 32 that divides k
};

/// X: uint16_t (bf16 bits; rows of padded_k_bf16(k) elements, padding 0) or float (rows of k).
template <class X>
struct GemmUnpackArgs {
  const X* x = nullptr;
  int64_t x_stride = 0;  // elements
  PackedCodes w;
  const float* bias = nullptr;  // [n] or null
  float* y = nullptr;           // [rows, n]
  int64_t y_stride = 0;
  bool accumulate = false;  // y += instead of y =
  int64_t row_begin = 0, row_end = 0;
  int64_t panel_begin = 0, panel_end = 0;
};

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args);
void gemm_unpack(const GemmUnpackArgs<float>& args);

/// Name of the instruction set that multiplies bf16 rows, and float32 rows.
const char* gemm_unpack_bf16_variant();
const char* gemm_unpack_f32_variant();

}  // namespace tessera::kernels
