// moe_route for AVX-512: see moe_route_inl.h.
#include "kernels/simd/vec16_avx512.h"

#include "kernels/moe_route/moe_route_inl.h"
