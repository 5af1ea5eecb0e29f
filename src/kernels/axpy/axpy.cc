#include "kernels/axpy/axpy.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/axpy/axpy_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void axpy(float a, const float* x, float* y, int64_t n);
}  // namespace avx2
namespace avx512 {
void axpy(float a, const float* x, float* y, int64_t n);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(float, const float*, float*, int64_t);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::axpy}},
    {Isa::kAvx2, {avx2::axpy}},
    {Isa::kAvx512, {avx512::axpy}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void axpy(float a, const float* x, float* y, int64_t n) {
  chosen().fn.run(a, x, y, n);
}
const char* axpy_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
