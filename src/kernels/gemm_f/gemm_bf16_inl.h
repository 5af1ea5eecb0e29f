// The body of gemm_bf16 without vdpbf16ps, for whichever vec16_*.h was included before: both operands widened
// to f32.
#pragma once

#include "kernels/gemm_f/gemm_bf16.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

template <int R, int P>
void bf16_tile(const GemmBf16Args& args, int64_t row, int64_t panel) {
  const int64_t panel_elements = packed_bf16_panel_elements(args.k);
  const uint16_t* w = args.w + panel * panel_elements;
  const uint16_t* x = args.x + row * args.x_stride;
  Accumulators<R, P> acc;
  for (int64_t k = 0; k < args.k; k += 2, w += 2 * kPanel, x += 2) {
    Vec even[P], odd[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      load_bf16_pairs(w + p * panel_elements, even[p], odd[p]);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      Vec x_even, x_odd;
      set1_bf16_pair(x + r * args.x_stride, x_even, x_odd);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p] = fma(x_even, even[p], fma(x_odd, odd[p], acc.at[r][p]));
    }
  }
  acc.write(args, row, panel);
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args) {
  walk(args, args.k * static_cast<int64_t>(sizeof(uint16_t)),
       [&]<int R, int P>(const TileAt& at) { bf16_tile<R, P>(args, at.row, at.panel); });
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
