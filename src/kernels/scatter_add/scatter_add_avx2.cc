// scatter_add for AVX2: see scatter_add_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/scatter_add/scatter_add_inl.h"
