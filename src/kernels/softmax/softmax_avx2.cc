// softmax for AVX2: see softmax_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/softmax/softmax_inl.h"
