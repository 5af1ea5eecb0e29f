// GEMM with bf16 weights: y[m,n] (+)= sum_k bf16(x[m,k])*w[n,k] + bias[n], float32 accumulation.
// Packed weights: [N/16][K/2][16][2] bf16, K padded to even with 0. x is rounded to bf16 beforehand, once for
// all column ranges, by round_rows_bf16(). Order per output: pairs (2i, 2i+1) ascending, one accumulator;
// within a pair the odd product first, then the even one, each a fused multiply-add. avx512bf16 uses
// vdpbf16ps, which does the same but flushes denormal inputs and results to zero. So the result depends on
// the instruction set by at most rounding, and never on ranges or number of rows. Pure and thread-safe: see
// gemm_s8.h for the ranges.
#pragma once

#include <stdint.h>

#include "kernels/gemm_s8/pack_s8.h"

namespace tessera::kernels {

constexpr int64_t padded_k_bf16(int64_t k) {
  return (k + 1) / 2 * 2;
}
constexpr int64_t packed_bf16_panel_elements(int64_t k) {
  return kPanel * padded_k_bf16(k);
}

/// rows 1..16 of w: [rows, k] row-major, `w_stride` elements from row to row. Narrowing rounds half to even.
void pack_bf16_panel(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel);
void pack_bf16_panel_from_f32(const float* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel);
void pack_bf16_panel_from_f16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel);

/// x: [rows, k] -> out: [rows, padded_k_bf16(k)] bf16 bits, half to even, NaN stays NaN, padding 0. Same bits
/// on every ISA.
void round_rows_bf16(const float* x, int64_t x_stride, int64_t rows, int64_t k, uint16_t* out,
                     int64_t out_stride);

struct GemmBf16Args {
  const uint16_t* x = nullptr;  // [rows, padded_k_bf16(k)] bf16 bits
  int64_t x_stride = 0;         // elements
  const uint16_t* w = nullptr;  // packed
  int64_t n = 0;
  int64_t k = 0;
  const float* bias = nullptr;  // [n] or null
  float* y = nullptr;           // [rows, n]
  int64_t y_stride = 0;
  bool accumulate = false;  // y += instead of y =
  int64_t row_begin = 0, row_end = 0;
  int64_t panel_begin = 0, panel_end = 0;
};

void gemm_bf16(const GemmBf16Args& args);
const char* gemm_bf16_variant();

}  // namespace tessera::kernels
