// GEMM with float32 weights, the reference path of `--dtype float32`:  y[m,n] (+)= sum_k x[m,k]*w[n,k] +
// bias[n]. One fused multiply-add per k, k ascending, one accumulator per output: the same bits on every
// instruction set, for any row range, panel range and number of rows. Packed weights: [N/16][K][16] float,
// columns >= n are 0. Pure and thread-safe: see gemm_s8.h for the ranges.
#pragma once

#include <stdint.h>

#include "kernels/gemm_s8/pack_s8.h"

namespace tessera::kernels {

constexpr int64_t packed_f32_panel_floats(int64_t k) {
  return kPanel * k;
}

/// rows 1..16 of w: [rows, k] row-major, `w_stride` elements from row to row.
void pack_f32_panel(const float* w, int64_t w_stride, int64_t rows, int64_t k, float* panel);
/// The same from bf16 or f16 bits, widened exactly.
void pack_f32_panel_from_bf16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, float* panel);
void pack_f32_panel_from_f16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, float* panel);

struct GemmF32Args {
  const float* x = nullptr;  // [rows, k]
  int64_t x_stride = 0;      // elements
  const float* w = nullptr;  // packed
  int64_t n = 0;
  int64_t k = 0;
  const float* bias = nullptr;  // [n] or null
  float* y = nullptr;           // [rows, n]
  int64_t y_stride = 0;
  bool accumulate = false;  // y += instead of y =
  int64_t row_begin = 0, row_end = 0;
  int64_t panel_begin = 0, panel_end = 0;
};

void gemm_f32(const GemmF32Args& args);
const char* gemm_f32_variant();

}  // namespace tessera::kernels
