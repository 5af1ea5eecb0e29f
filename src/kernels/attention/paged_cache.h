// How keys and values lie in a paged cache: what kv_store writes and attention reads. Plain types and index
// arithmetic only; keys and values are two arrays of the same strides.
//
// One head of one page is a chunk of page_size x head_dim elements. Where tokens of a page make whole tiles
// (is_tiled), the chunk is a row of tiles of kCacheTile tokens, in the order in which the dot products load:
//   keys    [head_dim / 2][token in tile][2]      a pair of elements of each token
//   values  [token in tile / 2][head_dim][2]      an element of each of two tokens
// so that a 64-byte load is an operand of vdpbf16ps as it is. Elsewhere a chunk is [token][head_dim].
// An int8 chunk is followed by page_size float32 scales, one per token: x = code * scale.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace tessera::kernels {

enum class CacheType : uint8_t { kF32, kBf16, kInt8 };

inline constexpr int64_t kCacheTile = 16;
inline constexpr int64_t kMaxHeadDim = 256;  // a multiple of 8

constexpr int64_t element_bytes(CacheType type) {
  return type == CacheType::kF32 ? 4 : type == CacheType::kBf16 ? 2 : 1;
}

constexpr bool is_tiled(CacheType type, int64_t page_size) {
  return type != CacheType::kF32 && page_size % kCacheTile == 0;
}

/// In elements, scales counted as the int8 elements whose place they take.
struct CacheStrides {
  int64_t page = 0;
  int64_t kv_head = 0;
};

constexpr CacheStrides cache_strides(CacheType type, int64_t kv_heads, int64_t page_size, int64_t head_dim) {
  const int64_t scales = type == CacheType::kInt8 ? page_size * static_cast<int64_t>(sizeof(float)) : 0;
  const int64_t kv_head = page_size * head_dim + scales;
  return {kv_heads * kv_head, kv_head};
}

/// Element d of the token at `within`, counted from the head's chunk.
constexpr int64_t key_index(bool tiled, int64_t head_dim, int64_t within, int64_t d) {
  if (!tiled) return within * head_dim + d;
  const int64_t token = within % kCacheTile;
  return (within - token) * head_dim + d / 2 * 2 * kCacheTile + 2 * token + d % 2;
}
constexpr int64_t value_index(bool tiled, int64_t head_dim, int64_t within, int64_t d) {
  if (!tiled) return within * head_dim + d;
  const int64_t token = within % kCacheTile;
  return (within - token + token / 2 * 2) * head_dim + 2 * d + token % 2;
}

}  // namespace tessera::kernels
