#include "bench/fill_cache.h"

#include <cstring>

namespace tessera::bench {

void fill_cache(cache::KvCache& cache) {
  const auto& shape = cache.shape();
  const size_t bytes =
      shape.page_bytes() * static_cast<size_t>(shape.pages) / static_cast<size_t>(shape.layers) / 2;
  for (int32_t layer = 0; layer < shape.layers; ++layer) {
    std::memset(cache.keys(layer), 0x3c, bytes);
    std::memset(cache.values(layer), 0x3c, bytes);
  }
}

}  // namespace tessera::bench
