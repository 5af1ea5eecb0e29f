// quantize_rows for AVX2: see quantize_rows_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/quantize_rows/quantize_rows_inl.h"
