#include "kernels/gemm_f/gemm_f32.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/gemm_f/gemm_f32_inl.h"
#include "kernels/variant.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace avx2 {
void gemm_f32(const GemmF32Args& args);
}  // namespace avx2
namespace avx512 {
void gemm_f32(const GemmF32Args& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const GemmF32Args&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::gemm_f32}},
    {Isa::kAvx2, {avx2::gemm_f32}},
    {Isa::kAvx512, {avx512::gemm_f32}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

template <class From, class Widen>
void pack(const From* w, int64_t w_stride, int64_t rows, int64_t k, float* panel, Widen to_float) {
  CHECK(rows >= 1 && rows <= kPanel, "{} rows in a panel", rows);
  for (int64_t row = 0; row < kPanel; ++row) {
    for (int64_t i = 0; i < k; ++i)
      panel[i * kPanel + row] = row < rows ? to_float(w[row * w_stride + i]) : 0.0F;
  }
}

}  // namespace

void pack_f32_panel(const float* w, int64_t w_stride, int64_t rows, int64_t k, float* panel) {
  pack(w, w_stride, rows, k, panel, [](float x) { return x; });
}
void pack_f32_panel_from_bf16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, float* panel) {
  pack(w, w_stride, rows, k, panel, bf16_to_f32);
}
void pack_f32_panel_from_f16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, float* panel) {
  pack(w, w_stride, rows, k, panel, f16_to_f32);
}

void gemm_f32(const GemmF32Args& args) {
  chosen().fn.run(args);
}
const char* gemm_f32_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
