// attention for AVX-512: see attention_inl.h, float_attention_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/attention/float_attention_inl.h"
