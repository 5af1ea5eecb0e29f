// Peaks of AVX-512 with VNNI: see peak_loops.h. Assembly, since the compiler would move products of constants
// out of the loop.
#include <immintrin.h>
#include <stdint.h>

namespace tessera::kernels::avx512 {
void vpdpbusd_loop(int64_t turns);
void fma_loop(int64_t turns);
void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes);

void vpdpbusd_loop(int64_t turns) {
  __m512i acc[24];
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i)
    acc[i] = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i)
      asm volatile("vpdpbusd %2, %1, %0" : "+v"(acc[i]) : "v"(a), "v"(b));
  }
}

void fma_loop(int64_t turns) {
  __m512 acc[24];
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i)
    acc[i] = _mm512_setzero_ps();
  const __m512 a = _mm512_set1_ps(0.5F), b = _mm512_set1_ps(0.25F);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i)
      asm volatile("vfmadd231ps %2, %1, %0" : "+v"(acc[i]) : "v"(a), "v"(b));
  }
}

void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes) {
  for (int64_t at = 0; at < bytes; at += 512) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      __m512i line;
      if (prefetch_bytes != 0) {
        _mm_prefetch(reinterpret_cast<const char*>(from + at + i * 64 + prefetch_bytes), _MM_HINT_T0);
      }
      asm volatile("vmovdqu64 %1, %0" : "=v"(line) : "m"(from[at + i * 64]));
    }
  }
}

}  // namespace tessera::kernels::avx512
