// The body of silu_mul for whichever vec16_*.h was included before.
#pragma once

#include "kernels/silu_mul/silu_mul.h"
// After the vocabulary.
#include "kernels/simd/exp.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline Vec silu_mul(Vec gate, Vec up) {
  const Vec quotient = div(gate, add(set1(1.0F), exp(sub(zero(), gate))));
  // Not "0 when below": NaN has to stay.
  return mul(zero_if_lt(quotient, gate, set1(-88.0F)), up);
}

}  // namespace

void silu_mul(const SiluMulArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* gate = args.gate + row * args.gate_stride;
    const float* up = args.up + row * args.up_stride;
    float* y = args.y + row * args.y_stride;
    int64_t col = 0;
    for (; col + kLanes <= args.cols; col += kLanes)
      store(y + col, silu_mul(load(gate + col), load(up + col)));
    const int64_t rest = args.cols - col;
    if (rest > 0) store_n(y + col, silu_mul(load_n(gate + col, rest), load_n(up + col, rest)), rest);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
