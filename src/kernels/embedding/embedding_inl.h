// The body of embedding for whichever vec16_*.h was included before.
#pragma once

#include "kernels/embedding/embedding.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

void embedding_f32(const float* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                   int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row)
    __builtin_memcpy(out + row * out_stride, table + ids[row] * cols,
                     static_cast<size_t>(cols) * sizeof(float));
}

void embedding_bf16(const uint16_t* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                    int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    const uint16_t* from = table + ids[row] * cols;
    float* to = out + row * out_stride;
    int64_t col = 0;
    for (; col + kLanes <= cols; col += kLanes)
      store(to + col, load_bf16(from + col));
    for (; col < cols; ++col)
      to[col] = widen(from[col]);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
