// axpy for AVX2: see axpy_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/axpy/axpy_inl.h"
