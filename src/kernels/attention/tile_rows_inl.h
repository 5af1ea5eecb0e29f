// TileRows: tokens of a cache whose pages hold no tiles, copied element by element into the caller's tile.
// Such page sizes are for tests of borders; nothing here is fast.
#pragma once

#include "kernels/attention/attention_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// A code as bf16, exactly.
inline uint16_t code_to_bf16(int8_t code) {
  return narrow(static_cast<float>(code));
}
inline uint16_t bf16_bits_of(uint16_t element) {
  return element;
}
inline uint16_t bf16_bits_of(int8_t element) {
  return code_to_bf16(element);
}

template <CacheType kType>
struct CacheElement {
  using Type = uint16_t;
};
template <>
struct CacheElement<CacheType::kInt8> {
  using Type = int8_t;
};

/// Tokens begin..begin+count (at most a tile) of one kv head.
template <CacheType kType>
struct TileRows {
  const AttentionArgs& args;
  int64_t kv_head, begin, count, head_dim;

  /// Element d of token i goes to tile (as bf16) at index(i, d); what no token fills becomes 0, in rows of
  /// padded_dim. Scales of int8 go to scales[i].
  template <class Index>
  void place(const void* cache, uint32_t* tile, float* scales, const Index& index) const {
    using Element = typename CacheElement<kType>::Type;
    auto* to = reinterpret_cast<char*>(tile);
    __builtin_memset(to, 0, static_cast<size_t>(kCacheTile * padded_dim(head_dim)) * sizeof(uint16_t));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t position = begin + i, within = position % args.page_size;
      const Element* chunk = static_cast<const Element*>(cache) +
                             args.pages[position / args.page_size] * args.strides.page +
                             kv_head * args.strides.kv_head;
      for (int64_t d = 0; d < head_dim; ++d) {
        const uint16_t bits = bf16_bits_of(chunk[within * head_dim + d]);
        __builtin_memcpy(to + index(i, d) * 2, &bits, sizeof(bits));
      }
      if (kType == CacheType::kInt8)
        __builtin_memcpy(scales + i,
                         reinterpret_cast<const char*>(chunk) + args.page_size * head_dim +
                             within * static_cast<int64_t>(sizeof(float)),
                         sizeof(float));
    }
  }
};

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
