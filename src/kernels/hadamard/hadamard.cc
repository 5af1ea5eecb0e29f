#include "kernels/hadamard/hadamard.h"

#include <math.h>

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/hadamard/hadamard_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void hadamard(const HadamardArgs& args, float scale);
}  // namespace avx2
namespace avx512 {
void hadamard(const HadamardArgs& args, float scale);
}  // namespace avx512
namespace {

using Transform = void (*)(const HadamardArgs&, float);

constexpr Variant<Transform> kVariants[] = {
    {Isa::kScalar, scalar::hadamard},
    {Isa::kAvx2, avx2::hadamard},
    {Isa::kAvx512, avx512::hadamard},
};

const Variant<Transform>& chosen() {
  static const Variant<Transform>& variant = choose_variant<Transform>(kVariants);
  return variant;
}

}  // namespace

void hadamard(const HadamardArgs& args) {
  DCHECK(args.block > 0 && args.k % args.block == 0 && args.block % args.base == 0 &&
             args.base <= kMaxHadamardBase,
         "blocks of {} with base {} in rows of {}", args.block, args.base, args.k);
  chosen().fn(args, static_cast<float>(1.0 / sqrt(static_cast<double>(args.block))));
}
const char* hadamard_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
