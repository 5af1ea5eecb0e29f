// argmax for AVX2: see argmax_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/argmax/argmax_inl.h"
