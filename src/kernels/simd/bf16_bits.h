// One float to and from bf16, for the tails of the vector loops; included by vec16_*.h.
#pragma once

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline float widen(uint16_t bf16) {
  const uint32_t bits = static_cast<uint32_t>(bf16) << 16;
  float r;
  __builtin_memcpy(&r, &bits, sizeof(r));
  return r;
}

/// Half to even; NaN stays NaN (quiet).
inline uint16_t narrow(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
