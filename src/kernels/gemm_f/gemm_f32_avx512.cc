// gemm_f32 for AVX-512: see gemm_f32_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/gemm_f/gemm_f32_inl.h"
