// The bit layout of pack-quantized rows: u = q + 2^(bits-1) (unsigned), value i in bits [i*bits, (i+1)*bits)
// of a dense little-endian stream of 32-bit words, column 0 in the lowest bits; padding bits are 0. For 4
// bits: byte k/2, low nibble = even k. Nothing is permuted. (compressed-tensors >= 0.18; for 1, 2, 4, 8 bits
// the same in every version.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera::quant {

/// 32-bit words of a packed row of `count` values.
constexpr size_t packed_words(size_t count, int bits) {
  return (count * static_cast<size_t>(bits) + 31) / 32;
}

/// codes [K], each in [-2^(bits-1), 2^(bits-1)) -> words [packed_words(K, bits)]; bits 1..8.
void pack_row(std::span<const int8_t> codes, int bits, std::span<uint32_t> words);

/// The inverse; padding bits are not looked at.
void unpack_row(std::span<const uint32_t> words, int bits, std::span<int8_t> codes);

}  // namespace tessera::quant
