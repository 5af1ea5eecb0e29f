// QuantizedRows: activation rows as integer codes, the left operand of gemm_s8. A view: owns nothing. Plain
// types only, because files compiled for one instruction set include it.
//
// Weights are stored biased (w + 128 or w + 8, unsigned), as vpdpbusd and vpmaddubsw want one unsigned
// operand, so
//   sum_k x*w = sum_k x*(w + bias) - bias * sum_k x
// and the second sum is what block_sums holds. Blocks of 32, so that one quantized row serves weights of any
// group size.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

/// Rows of codes are zero-padded to a multiple of this many columns.
inline constexpr int64_t kCodesAlignK = 64;
/// Columns of one entry of block_sums.
inline constexpr int64_t kSumBlock = 32;

constexpr int64_t padded_k(int64_t k) {
  return (k + kCodesAlignK - 1) / kCodesAlignK * kCodesAlignK;
}

struct QuantizedRows {
  const int8_t* codes = nullptr;        // [rows, padded_k(k)]; 4-bit codes too are one per byte, -8..7
  int64_t codes_stride = 0;             // bytes from row to row, >= padded_k(k); no alignment is required
  const float* scales = nullptr;        // [rows], or [rows, k / group_size]
  int64_t scales_stride = 1;            // elements from row to row
  int64_t group_size = 0;               // columns that share a scale; 0: all of a row
  const int32_t* block_sums = nullptr;  // [rows, padded_k(k) / kSumBlock]
  int64_t sums_stride = 0;              // elements from row to row
};

}  // namespace tessera::kernels
