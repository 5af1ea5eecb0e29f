// The inner products of gemm_s8 without VNNI. After simd/vec16_avx2.h.
#pragma once

namespace tessera::kernels::avx2 {
namespace {

/// acc += weights * codes. Not intrinsics: g++ 12 moves all loads of a step to its front and then spills the
/// accumulators. 16: pairs of 16-bit operands into 32 bits; 8: pairs of unsigned weights and signed codes
/// into 16 bits, within the bounds that gemm_s8_avx2.cc gives.
inline __attribute__((always_inline)) void add_products16(__m256i& acc, __m256i weights, __m256i codes) {
  __m256i products;
  asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(products) : "x"(weights), "x"(codes));
}
inline __attribute__((always_inline)) void add_products8(__m256i& acc, __m256i weights, __m256i codes) {
  __m256i products;
  asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(acc), "=&x"(products) : "x"(weights), "x"(codes));
}

}  // namespace
}  // namespace tessera::kernels::avx2
