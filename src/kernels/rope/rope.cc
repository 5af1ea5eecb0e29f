#include "kernels/rope/rope.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/rope/rope_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void rope(const RopeArgs& args);
}  // namespace avx2
namespace avx512 {
void rope(const RopeArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const RopeArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::rope}},
    {Isa::kAvx2, {avx2::rope}},
    {Isa::kAvx512, {avx512::rope}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void rope(const RopeArgs& args) {
  chosen().fn.run(args);
}
const char* rope_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
