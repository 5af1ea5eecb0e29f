// Causal grouped-query attention of rows of one sequence over a paged cache that already holds their own
// keys.
//   s[j] = scale * q . k[j],   out = sum_j softmax(s)[j] * v[j],   j in [max(0, p - window + 1), p],  p =
//   start + row
// Row i (counted as in q) has position start + i and attends to positions 0..start+i.
// Softmax is online over blocks of kAttentionBlock positions counted from position 0, afresh in each split of
// kAttentionSplit positions; the splits are folded together in ascending order. So a row gives the same bits
// in whatever chunk, batch, range, page table or division into splits it comes (one instruction set).
// With a bf16 cache q is rounded to bf16 and so are the softmax weights before they meet v; with an int8
// cache likewise, the keys' scales are applied to the scores and the values' scales to the weights; with an
// f32 cache nothing is rounded.
// NaN: what a row sees makes its outputs NaN (a NaN of k all of the row's, of v those of its element), what
// it does not see cannot touch it. A score of +inf, or nothing but -inf, gives NaN. Pure and thread-safe;
// scratch is on the stack (under 512 KiB). Callers split rows and kv heads; [row_begin,row_end) x
// [kv_head_begin,kv_head_end) is written.
#pragma once

#include <stdint.h>

#include "kernels/attention/paged_cache.h"

namespace tessera::kernels {

inline constexpr int64_t kAttentionBlock = 64;
inline constexpr int64_t kAttentionSplit = 512;
/// Rows times heads of one kv head that share each load of keys and values.
inline constexpr int64_t kAttentionTile = 48;

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

/// Splits that rows [row_begin, row_end) see: those of the first row's first position to the last row's last.
struct SplitRange {
  int64_t begin, end;
};
SplitRange attention_splits(const AttentionArgs& args);

/// Floats of what one row and head make of one split.
constexpr int64_t partial_floats(int64_t head_dim) {
  return head_dim + 8;
}

/// One split's share of every row and head of the ranges: `partials` [rows of the range, heads of the range,
/// partial_floats(head_dim)]. Rows that see nothing of the split leave their place as it is.
void attention_split(const AttentionArgs& args, int64_t split, float* partials);

/// args.out from the partials of all attention_splits(args), ascending, each as attention_split() left it:
/// the bits of attention().
void attention_merge(const AttentionArgs& args, const float* partials);

const char* attention_variant();

}  // namespace tessera::kernels
