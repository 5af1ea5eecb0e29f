// Causal grouped-query attention of rows of one sequence over a paged cache that already holds their own
// keys.
//   s[j] = scale * q . k[j],   out = sum_j softmax(s)[j] * v[j],   j in [max(0, p - window + 1), p],  p =
//   start + row
// Row i (counted as in q) has position start + i and attends to positions 0..start+i.
// Softmax is online over blocks of kAttentionBlock positions counted from position 0, so a row gives the same
// bits whatever chunk, batch, range or page table it comes in (one instruction set; scratch is on the stack).
// With a bf16 cache q is rounded to bf16 and so are the softmax weights before they meet v; with an f32 cache
// nothing is. Pure and thread-safe: callers split rows and kv heads; [row_begin,row_end) x
// [kv_head_begin,kv_head_end) is written.
#pragma once

#include <stdint.h>

#include "kernels/attention/paged_cache.h"

namespace tessera::kernels {

inline constexpr int64_t kAttentionBlock = 64;
inline constexpr int64_t kMaxHeadDim = 256;

struct AttentionArgs {
  const float* q = nullptr;    // [rows, heads, head_dim]
  int64_t q_row_stride = 0;    // elements from row to row; heads are head_dim apart
  float* out = nullptr;        // [rows, heads, head_dim]; not q
  int64_t out_row_stride = 0;  // elements
  int64_t start = 0;           // position of row 0

  CacheType cache_type = CacheType::kBf16;
  const void* k_cache = nullptr;
  const void* v_cache = nullptr;
  CacheStrides strides;
  const int32_t* pages = nullptr;  // [ceil((start + row_end) / page_size)]
  int64_t page_size = 0;           // tokens, 1 or more

  int64_t heads = 0;  // a multiple of kv_heads; head h reads kv head h / (heads / kv_heads)
  int64_t kv_heads = 0;
  int64_t head_dim = 0;  // a multiple of 8, <= kMaxHeadDim
  float scale = 0;       // above 0
  int64_t window = 0;    // 0: none

  int64_t row_begin = 0, row_end = 0;
  int64_t kv_head_begin = 0, kv_head_end = 0;
};

void attention(const AttentionArgs& args);
const char* attention_variant();

}  // namespace tessera::kernels
