// silu_mul for AVX2: see silu_mul_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/silu_mul/silu_mul_inl.h"
