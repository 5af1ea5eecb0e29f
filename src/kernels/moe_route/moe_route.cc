#include "kernels/moe_route/moe_route.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/moe_route/moe_route_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void moe_route(const MoeRouteArgs& args);
}  // namespace avx2
namespace avx512 {
void moe_route(const MoeRouteArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const MoeRouteArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::moe_route}},
    {Isa::kAvx2, {avx2::moe_route}},
    {Isa::kAvx512, {avx512::moe_route}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void moe_route(const MoeRouteArgs& args) {
  chosen().fn.run(args);
}
const char* moe_route_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
