// FP8 E4M3 (finite only), FP4 E2M1 and E8M0 scales -> float32, exactly. Pure.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace tessera::formats::compressed_tensors {

/// S.1111.111 is NaN; there are no infinities; exponent bias 7.
inline float f8e4m3_to_f32(uint8_t byte) {
  const int exponent = byte >> 3 & 15, mantissa = byte & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                        : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (byte & 0x80) != 0 ? -magnitude : magnitude;
}

inline std::array<float, 256> f8e4m3_table() {
  std::array<float, 256> table{};
  for (size_t byte = 0; byte < table.size(); ++byte)
    table[byte] = f8e4m3_to_f32(static_cast<uint8_t>(byte));
  return table;
}

/// By the nibble: sign, two bits of exponent, one of mantissa.
inline constexpr std::array<float, 16> kF4E2M1 = {0.F,  .5F,  1.F,  1.5F,  2.F,  3.F,  4.F,  6.F,
                                                  -0.F, -.5F, -1.F, -1.5F, -2.F, -3.F, -4.F, -6.F};

/// 2^(byte - 127); 255 is NaN.
inline float e8m0_to_f32(uint8_t byte) {
  return byte == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.F, byte - 127);
}

}  // namespace tessera::formats::compressed_tensors
