#include "kernels/silu_mul/silu_mul.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/silu_mul/silu_mul_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void silu_mul(const SiluMulArgs& args);
}  // namespace avx2
namespace avx512 {
void silu_mul(const SiluMulArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const SiluMulArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::silu_mul}},
    {Isa::kAvx2, {avx2::silu_mul}},
    {Isa::kAvx512, {avx512::silu_mul}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void silu_mul(const SiluMulArgs& args) {
  chosen().fn.run(args);
}
const char* silu_mul_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
