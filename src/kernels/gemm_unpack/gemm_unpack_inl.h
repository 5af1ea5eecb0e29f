// What the variants of gemm_unpack share, over whichever vec16_*.h was included before.
#pragma once

#include "kernels/gemm_unpack/gemm_unpack.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// Group of column k; 0 when there is one.
inline int64_t group_of(const PackedCodes& w, int64_t k) {
  return w.group_size == 0 ? 0 : k / w.group_size;
}
inline int64_t groups(const PackedCodes& w) {
  return w.group_size == 0 ? 1 : w.k / w.group_size;
}

/// `count` tiles, `step` bytes apart.
struct TileRun {
  const uint8_t* first;
  int64_t count, step;
};

template <class X>
void finish_row(const GemmUnpackArgs<X>& args, int64_t row, int64_t panel, Vec value) {
  const int64_t column = panel * kPanel;
  const float* bias = args.bias == nullptr ? nullptr : args.bias + column;
  write_panel(value, bias, args.accumulate, args.y + row * args.y_stride + column, args.w.n - column);
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
