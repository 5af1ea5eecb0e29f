// attention by FloatBlock for every cache type, for whichever vec16_*.h was included before.
#pragma once

#include "kernels/attention/float_block_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {

AttentionFunctions attention_functions(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return functions_of<FloatBlock<CacheType::kF32>>();
    case CacheType::kInt8:
      return functions_of<FloatBlock<CacheType::kInt8>>();
    default:
      return functions_of<FloatBlock<CacheType::kBf16>>();
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
