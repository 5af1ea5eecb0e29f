// moe_route for AVX2: see moe_route_inl.h.
#include "kernels/simd/vec16_avx2.h"

#include "kernels/moe_route/moe_route_inl.h"
