// Where the keys and values of one layer lie: pages of page_size tokens, [page][kv_head][page_size][head_dim]
// for K and the same for V. Token t of a sequence is token t % page_size of page pages[t / page_size].
// Strides are in elements. A view, plain types only.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

enum class CacheType : uint8_t { kF32, kBf16 };

/// Strides of a cache; the same for K and V.
struct CacheStrides {
  int64_t page = 0;     // kv_heads * page_size * head_dim when dense
  int64_t kv_head = 0;  // page_size * head_dim when dense
  int64_t token = 0;    // head_dim when dense
};

constexpr CacheStrides dense_strides(int64_t kv_heads, int64_t page_size, int64_t head_dim) {
  return {kv_heads * page_size * head_dim, page_size * head_dim, head_dim};
}

}  // namespace tessera::kernels
