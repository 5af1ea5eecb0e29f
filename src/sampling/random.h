// A counter-based generator: the number for (seed, position) is a pure function of both, so a request draws
// the same tokens whatever else is in the batch, and nothing has to be stored or restored.
#pragma once

#include <cstdint>

namespace tessera::sampling {

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that passes BigCrush on a
/// counter.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// 64 random bits for (seed, position). The seed is mixed first: seeds 1, 2, 3 must not give shifted copies
/// of one stream.
constexpr uint64_t random_bits(uint64_t seed, uint64_t position) {
  return mix64(mix64(seed + 0x9e3779b97f4a7c15U) + (position + 1) * 0x9e3779b97f4a7c15U);
}

/// Uniform in [0, 1), 53 bits.
constexpr double random_unit(uint64_t seed, uint64_t position) {
  return static_cast<double>(random_bits(seed, position) >> 11) * 0x1p-53;
}

}  // namespace tessera::sampling
