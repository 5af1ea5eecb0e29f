// Router of a mixture of experts: softmax over all experts in float32, then the k largest shares, as
// transformers does (softmax in float32 whatever the model's dtype, then top-k of the shares).
//
//   p = exp(logit - max) / sum                (relative error <= 2^-21 against float64)
//   chosen: the k largest p; of equal ones the lowest index
//   weight: p, or p / (sum of the chosen p, largest first)
//
// A row with NaN or +infinity (or nothing above -infinity) among its logits chooses experts 0..k-1 with
// weights NaN: its outputs are NaN and no other row's. Same bits on every instruction set. Pure and
// thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

struct MoeRouteArgs {
  float* shares = nullptr;    // [rows, experts]: logits in, p out (undefined in rows with NaN weights)
  int64_t shares_stride = 0;  // elements
  int64_t rows = 0;
  int32_t experts = 0;
  int32_t chosen_per_row = 0;  // k, 1..experts
  bool normalize = false;
  int32_t* chosen = nullptr;  // [rows, k], ascending within a row
  float* weights = nullptr;   // [rows, k], of chosen
};

void moe_route(const MoeRouteArgs& args);
const char* moe_route_variant();

}  // namespace tessera::kernels
