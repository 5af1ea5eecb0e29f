// Activation quantizer: f32 rows -> integer codes with one scale per row, or per group of columns.
//
//   s = max(max(x, 0) / positive_divisor, -min(x, 0) / negative_divisor)      (float32 divisions)
//   q[k] = clamp(round_half_even(x[k] / s), min_code, max_code)               (a true division, not a
//   reciprocal)
//
// With both divisors 127 or 7 this is absmax/127 or absmax/7. A static quantizer brings its scale, and a zero
// point: q[k] = clamp(round_half_even(x[k] / s + zero_point), min_code, max_code), the sum in float32. The
// same bits come out on every instruction set. A row or group whose s is 0 (all zeros, or so small that s
// underflows) gets scale 0 and codes 0. One that contains NaN or infinity gets scale NaN and codes 0, static
// ones too, so that the row's outputs are NaN and no other row is touched. Pure and thread-safe: rows may be
// split over threads freely.
#pragma once

#include <stdint.h>

#include "kernels/quantize_rows/quantized_rows.h"

namespace tessera::kernels {

/// The facts of a quant::ActivationScheme; made by code_range() in code_range.h.
struct CodeRange {
  float positive_divisor = 127;
  float negative_divisor = 127;
  int32_t min_code = -127;
  int32_t max_code = 127;
};

struct QuantizeRowsArgs {
  const float* x = nullptr;  // [rows, k]
  int64_t x_stride = 0;      // elements
  int64_t rows = 0;
  int64_t k = 0;
  CodeRange range;
  int64_t group_size = 0;  // columns that share a scale: a multiple of kSumBlock that divides k; 0: all
  float fixed_scale = 0;   // > 0: static, this scale; the range's divisors are not used
  int32_t zero_point = 0;  // static only
  // Outputs, as in QuantizedRows; columns k..padded_k(k) are written with 0.
  int8_t* codes = nullptr;
  int64_t codes_stride = 0;
  float* scales = nullptr;  // [rows, groups]
  int64_t scales_stride = 1;
  int32_t* block_sums = nullptr;
  int64_t sums_stride = 0;
};

void quantize_rows(const QuantizeRowsArgs& args);

/// Name of the instruction set of the variant that quantize_rows() calls.
const char* quantize_rows_variant();

}  // namespace tessera::kernels
