#include "kernels/gemm_unpack/gemm_unpack.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace scalar {
namespace {

struct Words {
  uint32_t word[16];
};
Words load_words(const uint8_t* p) {
  Words words;
  __builtin_memcpy(&words, p, sizeof(words));
  return words;
}
Vec field(const Words& words, int shift, int mask) {
  return generate(
      [&](int i) { return static_cast<float>(words.word[i] >> shift & static_cast<uint32_t>(mask)); });
}

}  // namespace
}  // namespace scalar
}  // namespace tessera::kernels

// After the fields.
#include "kernels/gemm_unpack/float_math_inl.h"

namespace tessera::kernels {
namespace avx2 {
void gemm_unpack(const GemmUnpackArgs<uint16_t>& args);
void gemm_unpack(const GemmUnpackArgs<float>& args);
}  // namespace avx2
namespace avx512 {
void gemm_unpack(const GemmUnpackArgs<uint16_t>& args);
void gemm_unpack(const GemmUnpackArgs<float>& args);
}  // namespace avx512
namespace avx512bf16 {
void gemm_unpack(const GemmUnpackArgs<uint16_t>& args);
}  // namespace avx512bf16
namespace {

using Bf16Gemm = void (*)(const GemmUnpackArgs<uint16_t>&);
using F32Gemm = void (*)(const GemmUnpackArgs<float>&);

constexpr Variant<Bf16Gemm> kBf16Variants[] = {
    {Isa::kScalar, scalar::gemm_unpack},
    {Isa::kAvx2, avx2::gemm_unpack},
    {Isa::kAvx512, avx512::gemm_unpack},
    {Isa::kAvx512Bf16, avx512bf16::gemm_unpack},
};
constexpr Variant<F32Gemm> kF32Variants[] = {
    {Isa::kScalar, scalar::gemm_unpack},
    {Isa::kAvx2, avx2::gemm_unpack},
    {Isa::kAvx512, avx512::gemm_unpack},
};

const Variant<Bf16Gemm>& chosen_bf16() {
  static const Variant<Bf16Gemm>& variant = choose_variant<Bf16Gemm>(kBf16Variants);
  return variant;
}
const Variant<F32Gemm>& chosen_f32() {
  static const Variant<F32Gemm>& variant = choose_variant<F32Gemm>(kF32Variants);
  return variant;
}

template <class X>
void check_args([[maybe_unused]] const GemmUnpackArgs<X>& args) {
  DCHECK(args.w.bits == 4 || args.w.bits == 8, "weight bits {}", args.w.bits);
  DCHECK(args.w.group_size % 32 == 0 && (args.w.group_size == 0 || args.w.k % args.w.group_size == 0),
         "group size {} with k={}", args.w.group_size, args.w.k);
  DCHECK(args.panel_begin >= 0 && args.panel_end <= panels(args.w.n), "panels {}..{} with n={}",
         args.panel_begin, args.panel_end, args.w.n);
}

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  check_args(args);
  chosen_bf16().fn(args);
}
void gemm_unpack(const GemmUnpackArgs<float>& args) {
  check_args(args);
  chosen_f32().fn(args);
}
const char* gemm_unpack_bf16_variant() {
  return isa_name(chosen_bf16().isa).data();
}
const char* gemm_unpack_f32_variant() {
  return isa_name(chosen_f32().isa).data();
}

}  // namespace tessera::kernels
