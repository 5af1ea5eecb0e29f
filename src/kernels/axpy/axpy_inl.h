// The body of axpy for whichever vec16_*.h was included before.
#pragma once

#include "kernels/axpy/axpy.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

void axpy(float a, const float* x, float* y, int64_t n) {
  const Vec factor = set1(a);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    store(y + i, add(load(y + i), mul(factor, load(x + i))));
  const int64_t rest = n - i;
  if (rest > 0) store_n(y + i, add(load_n(y + i, rest), mul(factor, load_n(x + i, rest))), rest);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
