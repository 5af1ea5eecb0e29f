#include "kernels/quantize_rows/quantize_rows.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/quantize_rows/quantize_rows_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void quantize_rows(const QuantizeRowsArgs& args);
}  // namespace avx2
namespace avx512 {
void quantize_rows(const QuantizeRowsArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const QuantizeRowsArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::quantize_rows}},
    {Isa::kAvx2, {avx2::quantize_rows}},
    {Isa::kAvx512, {avx512::quantize_rows}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args) {
  chosen().fn.run(args);
}
const char* quantize_rows_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
