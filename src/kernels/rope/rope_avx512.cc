// rope for AVX-512: see rope_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/rope/rope_inl.h"
