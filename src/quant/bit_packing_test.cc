#include "quant/bit_packing.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tessera::quant {
namespace {

std::vector<uint32_t> packed(const std::vector<int8_t>& codes, int bits) {
  std::vector<uint32_t> words(packed_words(codes.size(), bits), 0xFFFFFFFFU);
  pack_row(codes, bits, words);
  return words;
}

struct WorkedExample {
  int bits;
  std::vector<int8_t> codes;
  std::vector<uint32_t> words;
};

// From a literal transliteration of the library's pack_to_int32.
const WorkedExample kExamples[] = {
    {4, {1, 2, 3, 4, 5, 6, 7, 0}, {0x8FEDCBA9}},
    {4, {-1, -2, -3, -4, -5, -6, -7, -8}, {0x01234567}},
    {4, {-8, -7, -6, -5, -4, -3, -2, -1, 0, 7}, {0x76543210, 0x000000F8}},
    {8, {30, 40, -128, 127}, {0xFF00A89E}},
    {2, {-2, -1, 0, 1}, {0x000000E4}},
    {3, {-4, -3, -2, -1, 0, 1, 2, 3, -4, -3, -2, 3}, {0x88FAC688, 0x0000000E}},
};

TEST(BitPacking, WorkedExamples) {
  for (const auto& example : kExamples) {
    EXPECT_EQ(packed(example.codes, example.bits), example.words) << example.bits << " bits";
    std::vector<int8_t> codes(example.codes.size());
    unpack_row(example.words, example.bits, codes);
    EXPECT_EQ(codes, example.codes) << example.bits << " bits";
  }
}

TEST(BitPacking, RoundTripsEveryWidthAndLength) {
  std::mt19937 random(1);
  for (int bits = 1; bits <= 8; ++bits) {
    for (size_t length = 1; length <= 133; ++length) {
      std::vector<int8_t> codes(length);
      for (auto& code : codes)
        code = static_cast<int8_t>(static_cast<int>(random() % (1U << bits)) - (1 << (bits - 1)));
      const auto words = packed(codes, bits);
      std::vector<int8_t> back(length, 99);
      unpack_row(words, bits, back);
      ASSERT_EQ(back, codes) << bits << " bits, length " << length;
    }
  }
}

TEST(BitPacking, PaddingBitsAreZero) {
  for (int bits = 1; bits <= 8; ++bits) {
    const std::vector<int8_t> codes(5, static_cast<int8_t>((1 << (bits - 1)) - 1));  // all ones once unsigned
    uint64_t stream = 0;
    const auto words = packed(codes, bits);
    for (size_t word = 0; word < words.size(); ++word)
      stream |= static_cast<uint64_t>(words[word]) << (32 * word);
    EXPECT_EQ(stream, (uint64_t{1} << (5 * bits)) - 1) << bits << " bits";
  }
}

}  // namespace
}  // namespace tessera::quant
