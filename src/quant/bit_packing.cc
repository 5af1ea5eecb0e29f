#include "quant/bit_packing.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace tessera::quant {
namespace {

static_assert(std::endian::native == std::endian::little,
              "packed words are read and written in the machine's order");

void pack_nibbles(std::span<const int8_t> codes, std::span<uint32_t> words) {
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  const size_t pairs = codes.size() / 2;
  for (size_t pair = 0; pair < pairs; ++pair) {
    const auto low = static_cast<uint8_t>(codes[2 * pair] + 8);
    const auto high = static_cast<uint8_t>(codes[2 * pair + 1] + 8);
    bytes[pair] = static_cast<uint8_t>((low & 15U) | (high << 4));
  }
  if (codes.size() % 2 != 0) bytes[pairs] = static_cast<uint8_t>((codes.back() + 8) & 15);
}

void unpack_nibbles(std::span<const uint32_t> words, std::span<int8_t> codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(words.data());
  const size_t pairs = codes.size() / 2;
  for (size_t pair = 0; pair < pairs; ++pair) {
    codes[2 * pair] = static_cast<int8_t>((bytes[pair] & 15) - 8);
    codes[2 * pair + 1] = static_cast<int8_t>((bytes[pair] >> 4) - 8);
  }
  if (codes.size() % 2 != 0) codes.back() = static_cast<int8_t>((bytes[pairs] & 15) - 8);
}

}  // namespace

void pack_row(std::span<const int8_t> codes, int bits, std::span<uint32_t> words) {
  CHECK(bits >= 1 && bits <= 8 && words.size() == packed_words(codes.size(), bits),
        "{} codes of {} bits in {} words", codes.size(), bits, words.size());
  std::fill(words.begin(), words.end(), 0U);
  if (bits == 4) return pack_nibbles(codes, words);
  const uint32_t mask = (1U << bits) - 1U;
  for (size_t k = 0; k < codes.size(); ++k) {
    const uint32_t value = static_cast<uint32_t>(codes[k] + (1 << (bits - 1))) & mask;
    const size_t bit = k * static_cast<size_t>(bits);
    const auto shift = static_cast<unsigned>(bit % 32);
    words[bit / 32] |= value << shift;
    if (shift + static_cast<unsigned>(bits) > 32) words[bit / 32 + 1] |= value >> (32 - shift);
  }
}

void unpack_row(std::span<const uint32_t> words, int bits, std::span<int8_t> codes) {
  CHECK(bits >= 1 && bits <= 8 && words.size() == packed_words(codes.size(), bits),
        "{} codes of {} bits in {} words", codes.size(), bits, words.size());
  if (bits == 4) return unpack_nibbles(words, codes);
  const uint32_t mask = (1U << bits) - 1U;
  for (size_t k = 0; k < codes.size(); ++k) {
    const size_t bit = k * static_cast<size_t>(bits);
    const size_t word = bit / 32;
    const uint64_t next = word + 1 < words.size() ? words[word + 1] : 0;
    const uint64_t window = (next << 32 | words[word]) >> (bit % 32);
    codes[k] = static_cast<int8_t>(static_cast<int>(window & mask) - (1 << (bits - 1)));
  }
}

}  // namespace tessera::quant
