#include "kernels/softmax/softmax.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/softmax/softmax_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
RowExtent row_extent(const float* x, int64_t n);
void softmax_weights(const SoftmaxArgs& args);
}  // namespace avx2
namespace avx512 {
RowExtent row_extent(const float* x, int64_t n);
void softmax_weights(const SoftmaxArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  RowExtent (*extent)(const float*, int64_t);
  void (*weights)(const SoftmaxArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::row_extent, scalar::softmax_weights}},
    {Isa::kAvx2, {avx2::row_extent, avx2::softmax_weights}},
    {Isa::kAvx512, {avx512::row_extent, avx512::softmax_weights}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

RowExtent row_extent(const float* x, int64_t n) {
  return chosen().fn.extent(x, n);
}
void softmax_weights(const SoftmaxArgs& args) {
  chosen().fn.weights(args);
}
const char* softmax_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
