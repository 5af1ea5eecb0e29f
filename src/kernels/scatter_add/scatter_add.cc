#include "kernels/scatter_add/scatter_add.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/scatter_add/scatter_add_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void scatter_add(const ScatterAddArgs& args);
}  // namespace avx2
namespace avx512 {
void scatter_add(const ScatterAddArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const ScatterAddArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::scatter_add}},
    {Isa::kAvx2, {avx2::scatter_add}},
    {Isa::kAvx512, {avx512::scatter_add}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void scatter_add(const ScatterAddArgs& args) {
  chosen().fn.run(args);
}
const char* scatter_add_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
