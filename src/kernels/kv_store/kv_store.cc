#include "kernels/kv_store/kv_store.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "kernels/kv_store/kv_store_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void kv_store(const KvStoreArgs& args);
}  // namespace avx2
namespace avx512 {
void kv_store(const KvStoreArgs& args);
}  // namespace avx512
namespace {

struct Functions {
  void (*run)(const KvStoreArgs&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::kv_store}},
    {Isa::kAvx2, {avx2::kv_store}},
    {Isa::kAvx512, {avx512::kv_store}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

void kv_store(const KvStoreArgs& args) {
  chosen().fn.run(args);
}
const char* kv_store_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
