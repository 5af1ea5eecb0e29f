// gemm_unpack for AVX2: see float_math_inl.h.
#include "kernels/simd/vec16_avx2.h"

namespace tessera::kernels::avx2 {
namespace {

struct Words {
  __m256i lo, hi;
};
inline Words load_words(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
inline Vec field(const Words& words, int shift, int mask) {
  const __m256i m = _mm256_set1_epi32(mask);
  return {_mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(words.lo, shift), m)),
          _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(words.hi, shift), m))};
}

}  // namespace
}  // namespace tessera::kernels::avx2

#include "kernels/gemm_unpack/float_math_inl.h"
