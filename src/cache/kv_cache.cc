#include "cache/kv_cache.h"

#include <utility>

namespace tessera::cache {
namespace {

/// Of keys or of values of one layer.
size_t layer_page_bytes(const KvCacheShape& shape) {
  const auto strides = kernels::cache_strides(shape.type, shape.kv_heads, shape.page_size, shape.head_dim);
  return static_cast<size_t>(strides.page * kernels::element_bytes(shape.type));
}

}  // namespace

size_t KvCacheShape::page_bytes() const {
  return 2 * static_cast<size_t>(layers) * layer_page_bytes(*this);
}

Result<KvCache> KvCache::allocate(const KvCacheShape& shape) {
  KvCache cache;
  cache.shape_ = shape;
  const size_t bytes = static_cast<size_t>(shape.pages) * layer_page_bytes(shape);
  for (int32_t layer = 0; layer < shape.layers; ++layer) {
    auto keys = TRY(AlignedBuffer::allocate(bytes).context("KV cache"));
    auto values = TRY(AlignedBuffer::allocate(bytes).context("KV cache"));
    cache.layers_.push_back({std::move(keys), std::move(values)});
  }
  return cache;
}

}  // namespace tessera::cache
