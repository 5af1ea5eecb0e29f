// Writes key and value rows of one sequence to its pages, in the layout of paged_cache.h: row i goes to
// position start + i. bf16 rounds half to even. int8: per token and head scale = absmax / 127, code =
// round_half_even(x / scale) by a true division; zeros give scale 0 and codes 0, NaN or infinity give scale
// NaN and codes 0. With scales from a checkpoint those are stored instead, and codes are clamped to
// -128..127. Same bits on every instruction set. Pure and thread-safe as long as no two calls write the same
// position.
#pragma once

#include <stdint.h>

#include "kernels/attention/paged_cache.h"

namespace tessera::kernels {

struct KvStoreArgs {
  const float* k = nullptr;  // [rows, kv_heads, head_dim]
  int64_t k_row_stride = 0;  // elements from row to row; heads are head_dim apart
  const float* v = nullptr;  // [rows, kv_heads, head_dim]
  int64_t v_row_stride = 0;
  int64_t rows = 0;
  int64_t start = 0;  // position of row 0

  const float* k_scales = nullptr;  // of int8: [kv_heads], > 0, or null: a scale for each row
  const float* v_scales = nullptr;  // [kv_heads] or null

  CacheType cache_type = CacheType::kBf16;
  void* k_cache = nullptr;
  void* v_cache = nullptr;
  CacheStrides strides;
  const int32_t* pages = nullptr;  // [ceil((start + rows) / page_size)]
  int64_t page_size = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;  // a multiple of 8, <= kMaxHeadDim
};

void kv_store(const KvStoreArgs& args);
const char* kv_store_variant();

}  // namespace tessera::kernels
