// rmsnorm for AVX2: see rmsnorm_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/rmsnorm/rmsnorm_inl.h"
