// hadamard for AVX-512: see hadamard_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/hadamard/hadamard_inl.h"
