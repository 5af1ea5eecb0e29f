#include "tensor/float_convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tessera {
namespace {

// g++ 12's _Float16 (software conversions, round half to even) is the independent reference.
float reference_widen(uint16_t half) {
  return static_cast<float>(std::bit_cast<_Float16>(half));
}
uint16_t reference_narrow(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

TEST(FloatConvert, EveryHalfWidensExactly) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float ours = f16_to_f32(half);
    const float theirs = reference_widen(half);
    if (std::isnan(theirs)) {
      ASSERT_TRUE(std::isnan(ours)) << bits;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(ours), std::bit_cast<uint32_t>(theirs)) << bits;
      ASSERT_EQ(f32_to_f16(ours), half) << bits;
    }
  }
}

// All exponents, and the mantissas around every rounding border.
TEST(FloatConvert, NarrowingRoundsHalfToEven) {
  for (uint32_t high = 0; high < 0x10000; high += 7) {
    for (const uint32_t low :
         {0x0000U, 0x0001U, 0x0fffU, 0x1000U, 0x1001U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      const float value = std::bit_cast<float>(high << 16 | low);
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
        ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value))));
        continue;
      }
      ASSERT_EQ(f32_to_f16(value), reference_narrow(value)) << value;
      // bf16: the neighbours are bits>>16 and that plus one; the nearer wins, ties go to the even one.
      const uint32_t down = high, half_way = low < 0x8000U ? 0 : low > 0x8000U ? 1 : high & 1U;
      ASSERT_EQ(f32_to_bf16(value), static_cast<uint16_t>(down + half_way)) << value;
    }
  }
}

TEST(FloatConvert, EveryBf16RoundTrips) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(value)))) << bits;
    } else {
      ASSERT_EQ(f32_to_bf16(value), bits);
    }
  }
}

TEST(FloatConvert, KnownValues) {
  EXPECT_EQ(f32_to_f16(1.0F), 0x3c00);
  EXPECT_EQ(f32_to_f16(65504.0F), 0x7bff);
  EXPECT_EQ(f32_to_f16(65519.9F), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7c00);
  EXPECT_EQ(f32_to_f16(-0.0F), 0x8000);
  EXPECT_EQ(f32_to_bf16(1.0F), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

}  // namespace
}  // namespace tessera
