// Rotary position embedding, rotate-half form (Llama, Qwen; "NeoX"): the pair is (i, i + rotary_dim/2).
//   a' = a*cos[i] - b*sin[i]      b' = b*cos[i] + a*sin[i]
// In place on heads of one or several tokens. Same bits on every instruction set. Pure and thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

struct RopeArgs {
  float* x = nullptr;       // [rows, heads, head_dim]
  int64_t row_stride = 0;   // elements from token to token
  int64_t head_stride = 0;  // elements from head to head
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t rotary_dim = 0;              // even, <= head_dim; the rest of a head is left alone
  const float* cos = nullptr;          // [positions, rotary_dim / 2]
  const float* sin = nullptr;          // [positions, rotary_dim / 2]
  const int32_t* positions = nullptr;  // [rows]: row of the tables for each token
};

void rope(const RopeArgs& args);
const char* rope_variant();

}  // namespace tessera::kernels
