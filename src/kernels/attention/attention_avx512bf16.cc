// attention for AVX-512 with bf16 products: vdpbf16ps for bf16 caches, float32 for the others.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/attention/float_block_inl.h"
#include "kernels/attention/pair_block_avx512bf16.h"

namespace tessera::kernels::avx512bf16 {

void attention(const AttentionArgs& args) {
  if (args.cache_type == CacheType::kF32) {
    attend<FloatBlock<float>>(args);
  } else {
    attend<PairBlock>(args);
  }
}

}  // namespace tessera::kernels::avx512bf16
