// attention for AVX2: see attention_inl.h, float_attention_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/attention/float_attention_inl.h"
