#include "kernels/gemm_f/gemm_bf16.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary they are written in.
#include "base/check.h"
#include "kernels/gemm_f/gemm_bf16_inl.h"
#include "kernels/gemm_f/round_rows_inl.h"
#include "kernels/variant.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace avx2 {
void gemm_bf16(const GemmBf16Args& args);
void round_rows_bf16(const float* x, int64_t x_stride, int64_t rows, int64_t k, uint16_t* out,
                     int64_t out_stride);
}  // namespace avx2
namespace avx512 {
void gemm_bf16(const GemmBf16Args& args);
void round_rows_bf16(const float* x, int64_t x_stride, int64_t rows, int64_t k, uint16_t* out,
                     int64_t out_stride);
}  // namespace avx512
namespace avx512bf16 {
void gemm_bf16(const GemmBf16Args& args);
}  // namespace avx512bf16
namespace {

struct Functions {
  void (*gemm)(const GemmBf16Args&);
  void (*round_rows)(const float*, int64_t, int64_t, int64_t, uint16_t*, int64_t);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::gemm_bf16, scalar::round_rows_bf16}},
    {Isa::kAvx2, {avx2::gemm_bf16, avx2::round_rows_bf16}},
    {Isa::kAvx512, {avx512::gemm_bf16, avx512::round_rows_bf16}},
    {Isa::kAvx512Bf16, {avx512bf16::gemm_bf16, avx512::round_rows_bf16}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

template <class From, class Narrow>
void pack(const From* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel, Narrow to_bf16) {
  CHECK(rows >= 1 && rows <= kPanel, "{} rows in a panel", rows);
  for (int64_t row = 0; row < kPanel; ++row) {
    for (int64_t i = 0; i < padded_k_bf16(k); ++i) {
      const bool exists = row < rows && i < k;
      panel[(i / 2 * kPanel + row) * 2 + i % 2] = exists ? to_bf16(w[row * w_stride + i]) : uint16_t{0};
    }
  }
}

}  // namespace

void pack_bf16_panel(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel) {
  pack(w, w_stride, rows, k, panel, [](uint16_t x) { return x; });
}
void pack_bf16_panel_from_f32(const float* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel) {
  pack(w, w_stride, rows, k, panel, f32_to_bf16);
}
void pack_bf16_panel_from_f16(const uint16_t* w, int64_t w_stride, int64_t rows, int64_t k, uint16_t* panel) {
  pack(w, w_stride, rows, k, panel, [](uint16_t x) { return f32_to_bf16(f16_to_f32(x)); });
}

void round_rows_bf16(const float* x, int64_t x_stride, int64_t rows, int64_t k, uint16_t* out,
                     int64_t out_stride) {
  chosen().fn.round_rows(x, x_stride, rows, k, out, out_stride);
}
void gemm_bf16(const GemmBf16Args& args) {
  chosen().fn.gemm(args);
}
const char* gemm_bf16_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
