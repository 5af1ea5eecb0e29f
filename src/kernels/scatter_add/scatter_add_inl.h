// The body of scatter_add for whichever vec16_*.h was included before.
#pragma once

#include "kernels/scatter_add/scatter_add.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

void scatter_add(const ScatterAddArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) {
    const float* x = args.x + i * args.x_stride;
    float* y = args.y + args.rows[i] * args.y_stride;
    const Vec factor = set1(args.weights[i]);
    int64_t col = 0;
    for (; col + kLanes <= args.cols; col += kLanes)
      store(y + col, add(load(y + col), mul(factor, load(x + col))));
    const int64_t rest = args.cols - col;
    if (rest > 0) store_n(y + col, add(load_n(y + col, rest), mul(factor, load_n(x + col, rest))), rest);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
