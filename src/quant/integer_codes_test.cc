#include "quant/integer_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tensor/float_convert.h"

namespace tessera::quant {
namespace {

struct Encoded {
  std::vector<float> scales;
  std::vector<int8_t> codes;
};

Encoded encode(const std::vector<float>& row, int bits, int group_size, DType dtype) {
  const size_t groups = group_size == 0 ? 1 : row.size() / static_cast<size_t>(group_size);
  Encoded result{std::vector<float>(groups), std::vector<int8_t>(row.size())};
  EXPECT_TRUE(encode_row(row, bits, group_size, dtype, result.scales, result.codes));
  return result;
}

const std::vector<float> kExample = {-1.50F, -.72F, -.20F, 0, .10F, .35F, .90F, 1.05F};

TEST(IntegerCodes, WorkedExampleInt4) {
  const auto result = encode(kExample, 4, 0, DType::kF32);
  EXPECT_EQ(result.scales, std::vector<float>{.2F});
  EXPECT_EQ(result.codes, (std::vector<int8_t>{-8, -4, -1, 0, 0, 2, 4, 5}));
}

TEST(IntegerCodes, WorkedExampleInt8RoundsTheScaleToItsDtypeFirst) {
  const auto f32 = encode(kExample, 8, 0, DType::kF32);
  EXPECT_FLOAT_EQ(f32.scales[0], .01176471F);
  EXPECT_EQ(f32.codes, (std::vector<int8_t>{-128, -61, -17, 0, 8, 30, 76, 89}));
  const auto bf16 = encode(kExample, 8, 0, DType::kBF16);
  EXPECT_EQ(bf16.scales[0], bf16_to_f32(f32_to_bf16(1.5F / 127.5F)));
  EXPECT_EQ(bf16.codes[0], -127);  // -1.5 / .01177979 = -127.34
}

TEST(IntegerCodes, ClampsAndRoundsHalfToEven) {
  const std::vector<float> row = {7.5F, -7.5F, 6.5F, .5F, 1.5F, -.5F, 2.5F};
  const auto result = encode(row, 4, 0, DType::kF32);
  EXPECT_EQ(result.scales[0], 1.0F);
  EXPECT_EQ(result.codes, (std::vector<int8_t>{7, -8, 6, 0, 2, 0, 2}));
}

TEST(IntegerCodes, AllZeroGroupsGetTheDtypesEpsilon) {
  EXPECT_EQ(encode({0, 0, 0, 0}, 4, 0, DType::kBF16).scales[0], 0.0078125F);
  EXPECT_EQ(encode({0, 0, 0, 0}, 4, 0, DType::kF16).scales[0], 0.0009765625F);
  EXPECT_EQ(encode({0, 0, 0, 0}, 8, 2, DType::kF32).scales[1], std::numeric_limits<float>::epsilon());
  // A scale that underflows in its dtype is a zero scale too.
  EXPECT_EQ(encode({1e-9F, 0, 0, 0}, 8, 0, DType::kF16).scales[0], 0.0009765625F);
}

TEST(IntegerCodes, GroupsAreIndependent) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> row(96);
  for (auto& value : row)
    value = normal(random);
  const auto whole = encode(row, 4, 32, DType::kBF16);
  for (size_t group = 0; group < 3; ++group) {
    const std::vector<float> part(row.begin() + static_cast<long>(32 * group),
                                  row.begin() + static_cast<long>(32 * group + 32));
    const auto alone = encode(part, 4, 0, DType::kBF16);
    EXPECT_EQ(alone.scales[0], whole.scales[group]);
    EXPECT_TRUE(std::equal(alone.codes.begin(), alone.codes.end(),
                           whole.codes.begin() + static_cast<long>(32 * group)));
  }
}

// Error of x^ is at most half a step, plus what clamping takes from the positive extreme (another half step
// at most, and the scale's own rounding: 2^-8 of the range for BF16).
TEST(IntegerCodes, DecodeOfEncodeIsWithinAStep) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const int bits : {4, 8}) {
      for (size_t length = 1; length <= 67; ++length) {
        std::vector<float> row(length);
        for (auto& value : row)
          value = normal(random);
        const auto result = encode(row, bits, 0, dtype);
        std::vector<float> back(length);
        decode_row(result.codes, result.scales, {}, 0, back);
        const float bound =
            result.scales[0] * (0.5F + 0.51F * (1.0F + static_cast<float>(code_max(bits)) / 128.0F));
        for (size_t k = 0; k < length; ++k)
          ASSERT_LE(std::fabs(back[k] - row[k]), bound) << bits << " bits, " << k;
      }
    }
  }
}

TEST(IntegerCodes, AgreesWithTheSlowDefinition) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<float> row(1000);
  for (auto& value : row)
    value = normal(random);
  for (const int bits : {2, 4, 8}) {
    const auto result = encode(row, bits, 8, DType::kBF16);
    for (size_t k = 0; k < row.size(); ++k) {
      const float v = row[k] / result.scales[k / 8];
      const float clamped =
          std::fmin(std::fmax(v, static_cast<float>(code_min(bits))), static_cast<float>(code_max(bits)));
      ASSERT_EQ(static_cast<int>(std::nearbyintf(clamped)), result.codes[k]) << bits << " bits, column " << k;
    }
  }
}

TEST(IntegerCodes, RefusesNonFiniteRows) {
  std::vector<float> scales(1);
  std::vector<int8_t> codes(5);
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    for (size_t place = 0; place < 5; ++place) {
      std::vector<float> row(5, 1.0F);
      row[place] = bad;
      EXPECT_FALSE(encode_row(row, 4, 0, DType::kF32, scales, codes)) << bad << " at " << place;
    }
  }
}

TEST(IntegerCodes, DecodeSubtractsZeroPoints) {
  std::vector<float> row(4);
  decode_row(std::vector<int8_t>{1, 2, -3, 4}, std::vector<float>{.5F, 2.0F}, std::vector<int8_t>{1, -1}, 2,
             row);
  EXPECT_EQ(row, (std::vector<float>{0, .5F, -4, 10}));
}

TEST(IntegerCodes, NarrowUndoesWiden) {
  std::vector<uint16_t> bits;
  for (uint32_t pattern = 0; pattern < 65536; pattern += 7)
    bits.push_back(static_cast<uint16_t>(pattern));
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    std::vector<float> wide(bits.size());
    widen(dtype, reinterpret_cast<const std::byte*>(bits.data()), wide);
    std::vector<uint16_t> back(bits.size());
    narrow(wide, dtype, reinterpret_cast<std::byte*>(back.data()));
    for (size_t k = 0; k < bits.size(); ++k) {
      ASSERT_TRUE(std::isnan(wide[k]) || back[k] == bits[k]) << dtype_name(dtype) << " pattern " << bits[k];
    }
  }
}

}  // namespace
}  // namespace tessera::quant
