// The two passes over a row of logits that every drawn token pays for: its largest element, and the weights
// exp((x - max) / temperature) with their sums. Same bits on every instruction set, so the same seed draws
// the same token everywhere. Pure and thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

struct RowExtent {
  float max = 0;     // of the row without its NaNs; -inf for an empty row
  bool bad = false;  // there is a NaN or +inf
};

/// x: [n]
RowExtent row_extent(const float* x, int64_t n);

/// Weights of one entry of `block_sums` and `block_maxes`.
inline constexpr int64_t kSoftmaxBlock = 256;

struct SoftmaxArgs {
  const float* x = nullptr;  // [n], no NaN; -inf gives weight 0
  int64_t n = 0;
  float max = 0;  // finite, >= every x
  float inverse_temperature = 1;
  float* weights = nullptr;      // [n]: relative error < 2^-23; exactly 0 where the exponent is below -87
                                 // (float32 has no normal number there), exactly 1 for the largest
  double* block_sums = nullptr;  // [ceil(n / kSoftmaxBlock)]: of the weights, added as float32 in 16 lanes
  float* block_maxes = nullptr;  // the same shape
};

void softmax_weights(const SoftmaxArgs& args);

/// Name of the instruction set of the variant that both call.
const char* softmax_variant();

}  // namespace tessera::kernels
