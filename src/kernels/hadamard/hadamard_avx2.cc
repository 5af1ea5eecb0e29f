// hadamard for AVX2: see hadamard_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/hadamard/hadamard_inl.h"
