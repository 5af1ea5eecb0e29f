#include "kernels/attention/attention.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/attention/float_attention_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void attention(const AttentionArgs& args);
}  // namespace avx2
namespace avx512 {
void attention(const AttentionArgs& args);
}  // namespace avx512
namespace avx512bf16 {
void attention(const AttentionArgs& args);
}  // namespace avx512bf16
namespace {

struct Functions {
  void (*run)(const AttentionArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::attention}},
    {Isa::kAvx2, {avx2::attention}},
    {Isa::kAvx512, {avx512::attention}},
    {Isa::kAvx512Bf16, {avx512bf16::attention}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void attention(const AttentionArgs& args) {
  DCHECK(args.head_dim > 0 && args.head_dim % 8 == 0 && args.head_dim <= kMaxHeadDim, "head_dim={}",
         args.head_dim);
  DCHECK(args.kv_heads > 0 && args.heads % args.kv_heads == 0, "heads={} kv_heads={}", args.heads,
         args.kv_heads);
  DCHECK(args.scale > 0, "scale={}", args.scale);
  DCHECK(args.page_size > 0, "page_size={}", args.page_size);
  chosen().fn.run(args);
}

const char* attention_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
