// attention for AVX-512 with bf16 products: vdpbf16ps for bf16 and int8 caches, float32 for the other.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/attention/float_block_inl.h"
#include "kernels/attention/pair_block_avx512bf16.h"

namespace tessera::kernels::avx512bf16 {

AttentionFunctions attention_functions(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return functions_of<FloatBlock<CacheType::kF32>>();
    case CacheType::kInt8:
      return functions_of<PairBlock<CacheType::kInt8>>();
    default:
      return functions_of<PairBlock<CacheType::kBf16>>();
  }
}

}  // namespace tessera::kernels::avx512bf16
