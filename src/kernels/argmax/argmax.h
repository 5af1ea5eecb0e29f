// Index of the largest element of a float32 row; the lowest index wins ties, and -0 ties with +0. NaN is
// never chosen; a row of NaN only (or of -inf and NaN only) gives the first -inf, or 0 if there is none. Pure
// and thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

/// x: [n], n >= 1.
int64_t argmax(const float* x, int64_t n);
const char* argmax_variant();

}  // namespace tessera::kernels
