#include "kernels/peak_loops/peak_loops.h"

#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void fma_loop(int64_t turns);
void int8_loop(int64_t turns);
void int4_loop(int64_t turns);
void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes);
}  // namespace avx2
namespace avx512 {
void vpdpbusd_loop(int64_t turns);
void fma_loop(int64_t turns);
void read_memory(const uint8_t* from, int64_t bytes, int64_t prefetch_bytes);
}  // namespace avx512
namespace avx512bf16 {
void vdpbf16ps_loop(int64_t turns);
}  // namespace avx512bf16
namespace {

// Chains in flight: 24 of 512 bits cover a latency of 6 at two a cycle and more; of AVX2's 16 registers some
// hold operands.
constexpr int64_t kChains512 = 24, kChains256 = 10, kChainsInt = 8;

constexpr PeakLoop kLoops[] = {
    {"vpdpbusd", Isa::kAvx512, kChains512 * 64, avx512::vpdpbusd_loop},
    {"vdpbf16ps", Isa::kAvx512Bf16, kChains512 * 32, avx512bf16::vdpbf16ps_loop},
    {"fma", Isa::kAvx512, kChains512 * 16, avx512::fma_loop},
    {"fma_avx2", Isa::kAvx2, kChains256 * 8, avx2::fma_loop},
    {"avx2_int8", Isa::kAvx2, kChainsInt * 32, avx2::int8_loop},
    {"avx2_int4", Isa::kAvx2, kChainsInt * 32, avx2::int4_loop},
};

void read_words(const uint8_t* from, int64_t bytes, int64_t /*prefetch_bytes*/) {
  for (int64_t at = 0; at < bytes; at += 8) {
    uint64_t word;
    asm volatile("movq %1, %0" : "=r"(word) : "m"(from[at]));
  }
}

struct Functions {
  void (*read)(const uint8_t*, int64_t, int64_t);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {read_words}},
    {Isa::kAvx2, {avx2::read_memory}},
    {Isa::kAvx512, {avx512::read_memory}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

}  // namespace

std::span<const PeakLoop> peak_loops() {
  return kLoops;
}

void read_memory(const void* from, int64_t bytes, int64_t prefetch_bytes) {
  chosen().fn.read(static_cast<const uint8_t*>(from), bytes, prefetch_bytes);
}
const char* read_memory_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
