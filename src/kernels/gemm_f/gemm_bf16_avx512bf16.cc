// gemm_bf16 with vdpbf16ps: one instruction multiplies and adds a pair of every one of 16 columns.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

inline __m512bh as_pairs(__m512i bits) {
  return reinterpret_cast<__m512bh>(bits);
}

inline __m512bh broadcast_pair(const uint16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return as_pairs(_mm512_set1_epi32(pair));
}

template <int R, int P>
void pair_tile(const GemmBf16Args& args, int64_t row, int64_t panel) {
  const int64_t panel_elements = packed_bf16_panel_elements(args.k);
  const uint16_t* w = args.w + panel * panel_elements;
  const uint16_t* x = args.x + row * args.x_stride;
  const int64_t stride = args.x_stride;
  Accumulators<R, P> acc;
  for (int64_t k = 0; k < args.k; k += 2, w += 2 * kPanel, x += 2) {
    __m512bh weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      weights[p] = as_pairs(_mm512_loadu_si512(w + p * panel_elements));
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512bh value = broadcast_pair(x + r * stride);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p].v = _mm512_dpbf16_ps(acc.at[r][p].v, weights[p], value);
    }
  }
  acc.write(args, row, panel);
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args) {
  walk(args, [&]<int R, int P>(int64_t row, int64_t panel) { pair_tile<R, P>(args, row, panel); });
}

}  // namespace tessera::kernels::avx512bf16
