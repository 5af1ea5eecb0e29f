// embedding for AVX2: see embedding_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/embedding/embedding_inl.h"
