// axpy for AVX-512: see axpy_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/axpy/axpy_inl.h"
