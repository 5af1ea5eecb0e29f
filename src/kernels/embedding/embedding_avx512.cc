// embedding for AVX-512: see embedding_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/embedding/embedding_inl.h"
