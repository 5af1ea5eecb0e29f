// gemm_bf16 and round_rows_bf16 for AVX-512: see gemm_bf16_inl.h, round_rows_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/gemm_f/gemm_bf16_inl.h"
#include "kernels/gemm_f/round_rows_inl.h"
