// gemm_unpack for AVX-512 without bf16 products: see float_math_inl.h.
#include "kernels/simd/vec16_avx512.h"

namespace tessera::kernels::avx512 {
namespace {

struct Words {
  __m512i v;
};
inline Words load_words(const uint8_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline Vec field(const Words& words, int shift, int mask) {
  const __m512i shifted = _mm512_srli_epi32(words.v, static_cast<unsigned>(shift));
  return {_mm512_cvtepi32_ps(_mm512_and_si512(shifted, _mm512_set1_epi32(mask)))};
}

}  // namespace
}  // namespace tessera::kernels::avx512

#include "kernels/gemm_unpack/float_math_inl.h"
