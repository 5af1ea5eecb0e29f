// y[rows[i], :] += weights[i] * x[i, :], a multiplication and an addition (not fused), i ascending: the same
// bits on every instruction set. For adding an expert's outputs to its tokens' rows. x and y do not overlap.
// Pure and thread-safe: callers split columns.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

struct ScatterAddArgs {
  const float* x = nullptr;        // [count, cols]
  int64_t x_stride = 0;            // elements
  const int32_t* rows = nullptr;   // [count], of y
  const float* weights = nullptr;  // [count]
  int64_t count = 0;
  int64_t cols = 0;
  float* y = nullptr;
  int64_t y_stride = 0;
};

void scatter_add(const ScatterAddArgs& args);
const char* scatter_add_variant();

}  // namespace tessera::kernels
