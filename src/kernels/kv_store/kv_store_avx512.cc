// kv_store for AVX-512: see kv_store_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/kv_store/kv_store_inl.h"
