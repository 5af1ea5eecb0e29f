#include "kernels/gemm_f/gemm_bf16_rows.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/gemm_f/gemm_bf16_rows_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace scalar {
namespace {
void gemm_bf16_rows(const GemmBf16Args& args) {
  walk_dots<WidenedMath>(args);
}
}  // namespace
}  // namespace scalar
namespace avx2 {
void gemm_bf16_rows(const GemmBf16Args& args);
}  // namespace avx2
namespace avx512 {
void gemm_bf16_rows(const GemmBf16Args& args);
}  // namespace avx512
namespace avx512bf16 {
void gemm_bf16_rows(const GemmBf16Args& args);
}  // namespace avx512bf16
namespace {

using Gemm = void (*)(const GemmBf16Args&);

constexpr Variant<Gemm> kVariants[] = {
    {Isa::kScalar, scalar::gemm_bf16_rows},
    {Isa::kAvx2, avx2::gemm_bf16_rows},
    {Isa::kAvx512, avx512::gemm_bf16_rows},
    {Isa::kAvx512Bf16, avx512bf16::gemm_bf16_rows},
};

const Variant<Gemm>& chosen() {
  static const Variant<Gemm>& variant = choose_variant<Gemm>(kVariants);
  return variant;
}

}  // namespace

void gemm_bf16_rows(const GemmBf16Args& args) {
  chosen().fn(args);
}
const char* gemm_bf16_rows_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
