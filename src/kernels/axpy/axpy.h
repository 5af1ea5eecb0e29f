// y[i] += a * x[i], a multiplication and an addition (not fused): the same bits on every instruction set. For
// adding an expert's output to its token's row. x and y do not overlap. Pure and thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

void axpy(float a, const float* x, float* y, int64_t n);
const char* axpy_variant();

}  // namespace tessera::kernels
