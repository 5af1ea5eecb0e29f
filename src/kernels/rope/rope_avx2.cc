// rope for AVX2: see rope_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/rope/rope_inl.h"
