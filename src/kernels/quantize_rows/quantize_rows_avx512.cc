// quantize_rows for AVX-512: see quantize_rows_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/quantize_rows/quantize_rows_inl.h"
