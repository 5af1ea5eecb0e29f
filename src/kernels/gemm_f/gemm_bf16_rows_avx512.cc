// gemm_bf16_rows for AVX-512: see gemm_bf16_rows_inl.h.
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_bf16_rows_inl.h"

namespace tessera::kernels::avx512 {

void gemm_bf16_rows(const GemmBf16Args& args) {
  walk_dots<WidenedMath>(args);
}

}  // namespace tessera::kernels::avx512
