// The body of kv_store for whichever vec16_*.h was included before.
#pragma once

#include "kernels/kv_store/kv_store.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline void store_head(const float* from, void* cache, int64_t offset, CacheType type, int64_t head_dim) {
  if (type == CacheType::kF32) {
    __builtin_memcpy(static_cast<float*>(cache) + offset, from,
                     static_cast<size_t>(head_dim) * sizeof(float));
    return;
  }
  uint16_t* to = static_cast<uint16_t*>(cache) + offset;
  int64_t i = 0;
  for (; i + kLanes <= head_dim; i += kLanes)
    store_bf16(to + i, load(from + i));
  for (; i < head_dim; ++i)
    to[i] = narrow(from[i]);
}

}  // namespace

void kv_store(const KvStoreArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t position = args.start + row;
    const int64_t token = args.pages[position / args.page_size] * args.strides.page +
                          position % args.page_size * args.strides.token;
    for (int64_t head = 0; head < args.kv_heads; ++head) {
      const int64_t offset = token + head * args.strides.kv_head;
      const int64_t within = head * args.head_dim;
      store_head(args.k + row * args.k_row_stride + within, args.k_cache, offset, args.cache_type,
                 args.head_dim);
      store_head(args.v + row * args.v_row_stride + within, args.v_cache, offset, args.cache_type,
                 args.head_dim);
    }
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
