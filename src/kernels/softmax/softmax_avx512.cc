// softmax for AVX-512: see softmax_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/softmax/softmax_inl.h"
