// argmax for AVX-512: see argmax_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/argmax/argmax_inl.h"
