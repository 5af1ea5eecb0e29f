// gemm_f32 for AVX2: see gemm_f32_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/gemm_f/gemm_f32_inl.h"
