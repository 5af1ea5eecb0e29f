// KvCache: keys and values of all layers, in pages of page_size tokens. It knows pages and bytes; which
// sequence owns a page is the engine's business. Movable; not thread-safe beyond what the kernels that write
// to it promise.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "kernels/attention/paged_cache.h"

namespace tessera::cache {

struct KvCacheShape {
  int32_t layers = 0;
  int32_t pages = 0;
  int32_t page_size = 0;  // tokens
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  kernels::CacheType type = kernels::CacheType::kBf16;

  /// Bytes of one page over all layers, keys and values, scales included.
  size_t page_bytes() const;
};

class KvCache {
 public:
  /// kResourceExhausted when memory is refused. Pages are zeroed by the system on first touch.
  static Result<KvCache> allocate(const KvCacheShape& shape);

  const KvCacheShape& shape() const { return shape_; }
  kernels::CacheStrides strides() const {
    return kernels::cache_strides(shape_.type, shape_.kv_heads, shape_.page_size, shape_.head_dim);
  }
  /// [pages][kv_heads][page_size x head_dim], as kernels/attention/paged_cache.h says
  void* keys(int32_t layer) { return layers_[static_cast<size_t>(layer)].keys.data(); }
  void* values(int32_t layer) { return layers_[static_cast<size_t>(layer)].values.data(); }

 private:
  struct Layer {
    AlignedBuffer keys, values;
  };
  KvCacheShape shape_;
  std::vector<Layer> layers_;
};

}  // namespace tessera::cache
