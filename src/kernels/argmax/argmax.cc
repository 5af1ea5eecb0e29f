#include "kernels/argmax/argmax.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/argmax/argmax_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
int64_t argmax(const float* x, int64_t n);
}  // namespace avx2
namespace avx512 {
int64_t argmax(const float* x, int64_t n);
}  // namespace avx512
namespace {

struct Functions {
  int64_t (*run)(const float*, int64_t);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::argmax}},
    {Isa::kAvx2, {avx2::argmax}},
    {Isa::kAvx512, {avx512::argmax}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

int64_t argmax(const float* x, int64_t n) {
  return chosen().fn.run(x, n);
}
const char* argmax_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
