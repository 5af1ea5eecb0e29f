// The body of gemm_f32 for whichever vec16_*.h was included before.
#pragma once

#include "kernels/gemm_f/gemm_f32.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

template <int R, int P>
void f32_tile(const GemmF32Args& args, int64_t row, int64_t panel) {
  const int64_t panel_floats = packed_f32_panel_floats(args.k);
  const float* w = args.w + panel * panel_floats;
  const float* x = args.x + row * args.x_stride;
  const int64_t stride = args.x_stride;
  Accumulators<R, P> acc;
  for (int64_t k = 0; k < args.k; ++k, w += kPanel, ++x) {
    Vec weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      weights[p] = load(w + p * panel_floats);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Vec value = set1(x[r * stride]);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p] = fma(value, weights[p], acc.at[r][p]);
    }
  }
  acc.write(args, row, panel);
}

}  // namespace

void gemm_f32(const GemmF32Args& args) {
  walk(args, args.k * static_cast<int64_t>(sizeof(float)),
       [&]<int R, int P>(const TileAt& at) { f32_tile<R, P>(args, at.row, at.panel); });
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
