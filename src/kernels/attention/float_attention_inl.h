// attention by FloatBlock for every cache type, for whichever vec16_*.h was included before.
#pragma once

#include "kernels/attention/float_block_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

void attention(const AttentionArgs& args) {
  if (args.cache_type == CacheType::kF32) {
    attend<FloatBlock<float>>(args);
  } else {
    attend<FloatBlock<uint16_t>>(args);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
