// What this processor can do at most: loops of nothing but the multiply instructions that our kernels are
// made of, in independent chains and on registers, and loops of nothing but loads. A kernel's speed is told
// as a fraction of these, measured in the same process. Pure and thread-safe.
#pragma once

#include <stdint.h>

#include <span>

#include "base/isa.h"

namespace tessera::kernels {

struct PeakLoop {
  const char* name;  // as `bench kernels --json` says it, without its unit
  Isa isa;           // run() needs a CPU that has it
  int64_t macs;      // multiplications with their additions per turn
  void (*run)(int64_t turns);
};

/// vpdpbusd, vdpbf16ps, fma, fma_avx2, avx2_int8 (vpmaddubsw, vpmaddwd, vpaddd: products in 32 bits),
/// avx2_int4 (vpmaddubsw, vpaddw: sums of 4-bit products in 16 bits).
std::span<const PeakLoop> peak_loops();

/// Loads every cache line of `bytes` at `from` once, front to back, with the widest loads of active_isa();
/// `bytes` is a multiple of kReadBlock. `prefetch_bytes` ahead of the loads a prefetch runs; 0: none.
inline constexpr int64_t kReadBlock = 512;
void read_memory(const void* from, int64_t bytes, int64_t prefetch_bytes);
const char* read_memory_variant();

}  // namespace tessera::kernels
