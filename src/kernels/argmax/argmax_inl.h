// The body of argmax for whichever vec16_*.h was included before: the maximum first, 16 lanes at a time, then
// the first place where it stands. Both passes run at the speed of memory, and ties need no care.
#pragma once

#include "kernels/argmax/argmax.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

int64_t argmax(const float* x, int64_t n) {
  const Vec lowest = set1(-__builtin_inff());
  Vec best = lowest;
  int64_t i = 0;
  // max(a, b) gives b when a is NaN, so a NaN in x never enters.
  for (; i + kLanes <= n; i += kLanes)
    best = max(load(x + i), best);
  float top = reduce_max(best);
  for (; i < n; ++i)
    top = x[i] > top ? x[i] : top;
  for (i = 0; i < n; ++i) {
    if (x[i] == top) return i;
  }
  return 0;
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
