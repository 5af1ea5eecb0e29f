#include "kernels/embedding/embedding.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/embedding/embedding_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void embedding_f32(const float* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                   int64_t out_stride);
void embedding_bf16(const uint16_t* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                    int64_t out_stride);
}  // namespace avx2
namespace avx512 {
void embedding_f32(const float* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                   int64_t out_stride);
void embedding_bf16(const uint16_t* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                    int64_t out_stride);
}  // namespace avx512
namespace {

struct Functions {
  void (*f32)(const float*, int64_t, const int32_t*, int64_t, float*, int64_t);
  void (*bf16)(const uint16_t*, int64_t, const int32_t*, int64_t, float*, int64_t);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::embedding_f32, scalar::embedding_bf16}},
    {Isa::kAvx2, {avx2::embedding_f32, avx2::embedding_bf16}},
    {Isa::kAvx512, {avx512::embedding_f32, avx512::embedding_bf16}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void embedding_f32(const float* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                   int64_t out_stride) {
  chosen().fn.f32(table, cols, ids, rows, out, out_stride);
}
void embedding_bf16(const uint16_t* table, int64_t cols, const int32_t* ids, int64_t rows, float* out,
                    int64_t out_stride) {
  chosen().fn.bf16(table, cols, ids, rows, out, out_stride);
}
const char* embedding_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
