// scatter_add for AVX-512: see scatter_add_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/scatter_add/scatter_add_inl.h"
