// The inner products of gemm_s8 with VNNI. After simd/vec16_avx512.h.
#pragma once

namespace tessera::kernels::avx512 {
namespace {

/// acc += four products of unsigned weights and signed codes, in each of 16 columns. Not _mm512_dpbusd_epi32:
/// its casts between vector types make g++ 12 copy every accumulator twice per step (512 x 576 x 1536, 8
/// bits: 39 instead of 79 % of peak, Zen 5).
inline __attribute__((always_inline)) void multiply_add(__m512i& acc, __m512i weights, __m512i codes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(codes));
}

}  // namespace
}  // namespace tessera::kernels::avx512
