// kv_store for AVX2: see kv_store_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/kv_store/kv_store_inl.h"
