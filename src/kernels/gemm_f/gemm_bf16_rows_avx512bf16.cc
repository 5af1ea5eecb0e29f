// gemm_bf16_rows with vdpbf16ps: see gemm_bf16_rows_inl.h.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_bf16_rows_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

struct PairMath {
  using Operand = __m512i;
  static constexpr int64_t kUnit = 32;

  static Operand load(const uint16_t* p) { return _mm512_loadu_si512(p); }
  static Operand load_n(const uint16_t* p, int64_t n) {
    return _mm512_maskz_loadu_epi32(lane_mask(n / 2), p);
  }
  static Vec multiply_add(Operand w, Operand x, Vec acc) {
    return {_mm512_dpbf16_ps(acc.v, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(x))};
  }
  template <int C>
  static void sums(const Vec (&acc)[C], float* out) {
    if constexpr (C == 4) {
      _mm_storeu_ps(out, four_sums(acc));
    } else {
      for (int c = 0; c < C; ++c)
        out[c] = reduce_add(acc[c]);
    }
  }

 private:
  /// The order of reduce_add, four at once: lanes j and j + 8, + 4, + 2, + 1.
  static __m128 four_sums(const Vec (&acc)[4]) {
    __m128 fours[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256 eight =
          _mm256_add_ps(_mm512_castps512_ps256(acc[i].v), _mm512_extractf32x8_ps(acc[i].v, 1));
      fours[i] = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    }
    const __m128 a = _mm_add_ps(_mm_movelh_ps(fours[0], fours[1]), _mm_movehl_ps(fours[1], fours[0]));
    const __m128 b = _mm_add_ps(_mm_movelh_ps(fours[2], fours[3]), _mm_movehl_ps(fours[3], fours[2]));
    return _mm_add_ps(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xdd));
  }
};

}  // namespace

void gemm_bf16_rows(const GemmBf16Args& args) {
  walk_dots<PairMath>(args);
}

}  // namespace tessera::kernels::avx512bf16
