#include "kernels/attention/attention.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/attention/float_attention_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
AttentionFunctions attention_functions(CacheType type);
}  // namespace avx2
namespace avx512 {
AttentionFunctions attention_functions(CacheType type);
}  // namespace avx512
namespace avx512bf16 {
AttentionFunctions attention_functions(CacheType type);
}  // namespace avx512bf16
namespace {

struct Functions {
  AttentionFunctions (*of)(CacheType);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::attention_functions}},
    {Isa::kAvx2, {avx2::attention_functions}},
    {Isa::kAvx512, {avx512::attention_functions}},
    {Isa::kAvx512Bf16, {avx512bf16::attention_functions}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

void check(const AttentionArgs& args) {
  DCHECK(args.head_dim > 0 && args.head_dim % 8 == 0 && args.head_dim <= kMaxHeadDim, "head_dim={}",
         args.head_dim);
  DCHECK(args.kv_heads > 0 && args.heads % args.kv_heads == 0, "heads={} kv_heads={}", args.heads,
         args.kv_heads);
  DCHECK(args.scale > 0, "scale={}", args.scale);
  DCHECK(args.page_size > 0, "page_size={}", args.page_size);
}

}  // namespace

void attention(const AttentionArgs& args) {
  check(args);
  chosen().fn.of(args.cache_type).whole(args);
}

SplitRange attention_splits(const AttentionArgs& args) {
  return {scalar::splits_of(args, args.row_begin).begin, scalar::splits_of(args, args.row_end - 1).end};
}

void attention_split(const AttentionArgs& args, int64_t split, float* partials) {
  check(args);
  chosen().fn.of(args.cache_type).split(args, split, partials);
}

void attention_merge(const AttentionArgs& args, const float* partials) {
  check(args);
  chosen().fn.of(args.cache_type).merge(args, partials);
}

const char* attention_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
