// Peaks of AVX2: see peak_loops.h. Assembly, since the compiler would move products of constants out of the
// loop.
#include <immintrin.h>
#include <stdint.h>

namespace tessera::kernels::avx2 {
void fma_loop(int64_t turns);
void int8_loop(int64_t turns);
void int4_loop(int64_t turns);
void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes);

void fma_loop(int64_t turns) {
  __m256 acc[10];
#pragma GCC unroll 10
  for (int i = 0; i < 10; ++i)
    acc[i] = _mm256_setzero_ps();
  const __m256 a = _mm256_set1_ps(0.5F), b = _mm256_set1_ps(0.25F);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 10
    for (int i = 0; i < 10; ++i)
      asm volatile("vfmadd231ps %2, %1, %0" : "+x"(acc[i]) : "x"(a), "x"(b));
  }
}

void int8_loop(int64_t turns) {
  __m256i acc[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    acc[i] = _mm256_setzero_si256();
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      __m256i product;
      asm volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
                   : "+x"(acc[i]), "=&x"(product)
                   : "x"(a), "x"(b), "x"(ones));
    }
  }
}

void int4_loop(int64_t turns) {
  __m256i acc[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    acc[i] = _mm256_setzero_si256();
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      __m256i product;
      asm volatile("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0"
                   : "+x"(acc[i]), "=&x"(product)
                   : "x"(a), "x"(b));
    }
  }
}

void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes) {
  for (int64_t at = 0; at < bytes; at += 512) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      __m256i line;
      if (prefetch_bytes != 0 && i % 2 == 0) {
        _mm_prefetch(reinterpret_cast<const char*>(from + at + i * 32 + prefetch_bytes), _MM_HINT_T0);
      }
      asm volatile("vmovdqu %1, %0" : "=x"(line) : "m"(from[at + i * 32]));
    }
  }
}

}  // namespace tessera::kernels::avx2
