// gemm_bf16 with weights in row-major order, as checkpoints have them: what `--weight-layout nd` runs, and
// the baseline that shows what the NZ layout is worth. Dot products along k, a tile of rows by columns at a
// time, so that loads are shared; each output is a register of partial sums that are added up at the end.
//
//   y[m,n] (+)= sum_k bf16(x[m,k])*w[n,k] + bias[n]
//
// Order per output: lane j sums the k with k % 16 = j (avx512bf16: pairs (2j, 2j+1) modulo 32, and denormals
// are flushed), each product a fused multiply-add; then lanes j and j + 8, j + 4, j + 2, j + 1. So the result
// depends on the instruction set, and differs from gemm_bf16, by rounding; never on ranges or number of rows.
// Pure and thread-safe: ranges as in gemm_s8.h.
#pragma once

#include "kernels/gemm_f/gemm_bf16.h"

namespace tessera::kernels {

/// args.w: [n, padded_k_bf16(k)] bf16, padding 0.
void gemm_bf16_rows(const GemmBf16Args& args);
const char* gemm_bf16_rows_variant();

}  // namespace tessera::kernels
