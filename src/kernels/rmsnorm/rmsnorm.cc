#include "kernels/rmsnorm/rmsnorm.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/rmsnorm/rmsnorm_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void rmsnorm(const RmsNormArgs& args);
void add_rmsnorm(const AddRmsNormArgs& args);
}  // namespace avx2
namespace avx512 {
void rmsnorm(const RmsNormArgs& args);
void add_rmsnorm(const AddRmsNormArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*norm)(const RmsNormArgs&);
  void (*add_norm)(const AddRmsNormArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::rmsnorm, scalar::add_rmsnorm}},
    {Isa::kAvx2, {avx2::rmsnorm, avx2::add_rmsnorm}},
    {Isa::kAvx512, {avx512::rmsnorm, avx512::add_rmsnorm}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void rmsnorm(const RmsNormArgs& args) {
  chosen().fn.norm(args);
}
void add_rmsnorm(const AddRmsNormArgs& args) {
  chosen().fn.add_norm(args);
}
const char* rmsnorm_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
