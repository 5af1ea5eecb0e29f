// The peak of vdpbf16ps: see peak_loops.h.
#include <immintrin.h>
#include <stdint.h>

namespace tessera::kernels::avx512bf16 {
void vdpbf16ps_loop(int64_t turns);

void vdpbf16ps_loop(int64_t turns) {
  __m512 acc[24];
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i)
    acc[i] = _mm512_setzero_ps();
  const __m512i a = _mm512_set1_epi16(0x3f00), b = _mm512_set1_epi16(0x3e80);  // 0.5 and 0.25
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i)
      asm volatile("vdpbf16ps %2, %1, %0" : "+v"(acc[i]) : "v"(a), "v"(b));
  }
}

}  // namespace tessera::kernels::avx512bf16
