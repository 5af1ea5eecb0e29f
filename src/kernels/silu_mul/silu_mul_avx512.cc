// silu_mul for AVX-512: see silu_mul_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/silu_mul/silu_mul_inl.h"
