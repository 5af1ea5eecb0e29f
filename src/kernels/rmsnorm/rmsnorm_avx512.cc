// rmsnorm for AVX-512: see rmsnorm_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/rmsnorm/rmsnorm_inl.h"
