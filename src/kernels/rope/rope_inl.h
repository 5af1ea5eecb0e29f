// The body of rope for whichever vec16_*.h was included before.
#pragma once

#include "kernels/rope/rope.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline void rotate_head(float* x, const float* cos, const float* sin, int64_t half) {
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vec a = load(x + i), b = load(x + half + i), c = load(cos + i), s = load(sin + i);
    store(x + i, sub(mul(a, c), mul(b, s)));
    store(x + half + i, add(mul(b, c), mul(a, s)));
  }
  const int64_t rest = half - i;
  if (rest == 0) return;
  const Vec a = load_n(x + i, rest), b = load_n(x + half + i, rest);
  const Vec c = load_n(cos + i, rest), s = load_n(sin + i, rest);
  store_n(x + i, sub(mul(a, c), mul(b, s)), rest);
  store_n(x + half + i, add(mul(b, c), mul(a, s)), rest);
}

}  // namespace

void rope(const RopeArgs& args) {
  const int64_t half = args.rotary_dim / 2;
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t table = args.positions[row] * half;
    for (int64_t head = 0; head < args.heads; ++head) {
      float* x = args.x + row * args.row_stride + head * args.head_stride;
      rotate_head(x, args.cos + table, args.sin + table, half);
    }
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
