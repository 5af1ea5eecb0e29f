// The body of round_rows_bf16 for whichever vec16_*.h was included before.
#pragma once

#include "kernels/gemm_f/gemm_bf16.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

void round_rows_bf16(const float* x, int64_t x_stride, int64_t rows, int64_t k, uint16_t* out,
                     int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x + row * x_stride;
    uint16_t* to = out + row * out_stride;
    int64_t i = 0;
    for (; i + kLanes <= k; i += kLanes)
      store_bf16(to + i, load(from + i));
    for (; i < k; ++i)
      to[i] = narrow(from[i]);
    if (k % 2 != 0) to[k] = 0;
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
