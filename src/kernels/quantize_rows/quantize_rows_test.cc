#include "kernels/quantize_rows/quantize_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/quantize_rows/code_range.h"
#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

using testing::Random;

struct Quantized {
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<int32_t> sums;
};

Quantized run(const float* x, int64_t x_stride, int64_t rows, int64_t k, const CodeRange& range) {
  const int64_t stride = padded_k(k) + 3;
  const int64_t sums = padded_k(k) / kSumBlock;
  Quantized out{std::vector<int8_t>(static_cast<size_t>(rows * stride), 99),
                std::vector<float>(static_cast<size_t>(rows)),
                std::vector<int32_t>(static_cast<size_t>(rows * sums), -1)};
  quantize_rows({.x = x,
                 .x_stride = x_stride,
                 .rows = rows,
                 .k = k,
                 .range = range,
                 .codes = out.codes.data(),
                 .codes_stride = stride,
                 .scales = out.scales.data(),
                 .block_sums = out.sums.data(),
                 .sums_stride = sums});
  // Back to rows of padded_k(k), having seen that the gap was left alone.
  std::vector<int8_t> dense;
  for (int64_t row = 0; row < rows; ++row) {
    const auto begin = out.codes.begin() + row * stride;
    EXPECT_TRUE(std::all_of(begin + padded_k(k), begin + stride, [](int8_t c) { return c == 99; }));
    dense.insert(dense.end(), begin, begin + padded_k(k));
  }
  out.codes = dense;
  return out;
}

/// The contract, word for word.
Quantized reference(const float* x, int64_t x_stride, int64_t rows, int64_t k, const CodeRange& range) {
  const int64_t padded = padded_k(k);
  Quantized out{std::vector<int8_t>(static_cast<size_t>(rows * padded), 0),
                std::vector<float>(static_cast<size_t>(rows)),
                std::vector<int32_t>(static_cast<size_t>(rows * padded / kSumBlock), 0)};
  for (int64_t row = 0; row < rows; ++row) {
    float high = 0, low = 0;
    for (int64_t i = 0; i < k; ++i) {
      high = std::max(high, x[row * x_stride + i]);
      low = std::min(low, x[row * x_stride + i]);
    }
    const float scale = std::max(high / range.positive_divisor, -low / range.negative_divisor);
    out.scales[static_cast<size_t>(row)] = scale;
    if (scale == 0) continue;
    for (int64_t i = 0; i < k; ++i) {
      const float code = std::clamp(std::nearbyintf(x[row * x_stride + i] / scale),
                                    static_cast<float>(range.min_code), static_cast<float>(range.max_code));
      out.codes[static_cast<size_t>(row * padded + i)] = static_cast<int8_t>(code);
      out.sums[static_cast<size_t>((row * padded + i) / kSumBlock)] += static_cast<int32_t>(code);
    }
  }
  return out;
}

const std::vector<CodeRange>& ranges() {
  using quant::ActivationRule;
  static const std::vector<CodeRange> all = {
      code_range({8, ActivationRule::kAbsmax}),    code_range({4, ActivationRule::kAbsmax}),
      code_range({8, ActivationRule::kTwoSided}),  code_range({4, ActivationRule::kTwoSided}),
      code_range({.bits = 4, .clip_ratio = 0.8F}), code_range({.bits = 8, .clip_ratio = 0.35F})};
  return all;
}

void expect_equal(const Quantized& a, const Quantized& b, int64_t k) {
  EXPECT_EQ(a.codes, b.codes) << "k=" << k;
  EXPECT_TRUE(testing::same_bits(a.scales, b.scales)) << "k=" << k;
  EXPECT_EQ(a.sums, b.sums) << "k=" << k;
}

TEST(QuantizeRows, EveryLengthAndRule) {
  Random random(1);
  for (int64_t k = 1; k <= 150; ++k) {
    const int64_t stride = k + 5;
    // From an odd address on: nothing may assume alignment.
    const std::vector<float> x = random.floats(3 * stride + 1, 2.5F);
    for (const CodeRange& range : ranges())
      expect_equal(run(x.data() + 1, stride, 3, k, range), reference(x.data() + 1, stride, 3, k, range), k);
  }
}

/// Groups by the definition: each is a row of its own.
TEST(QuantizeRows, GroupsAreQuantizedAsRows) {
  Random random(4);
  const int64_t rows = 3;
  for (const int64_t group : {32, 64, 96, 128}) {
    for (const int64_t groups : {1, 2, 5}) {
      const int64_t k = group * groups, stride = padded_k(k);
      std::vector<float> x = random.floats(rows * k);
      x[1] = 1e4F;                                    // an outlier must not touch the group beside it
      std::fill_n(x.begin() + k, group, 0.0F);        // a group of zeros
      x[static_cast<size_t>(2 * k)] = std::nanf("");  // a poisoned group
      for (const CodeRange& range : ranges()) {
        std::vector<int8_t> codes(static_cast<size_t>(rows * stride), 99);
        std::vector<float> scales(static_cast<size_t>(rows * (groups + 1)), -1.0F);
        std::vector<int32_t> sums(static_cast<size_t>(rows * stride / kSumBlock));
        quantize_rows({.x = x.data(),
                       .x_stride = k,
                       .rows = rows,
                       .k = k,
                       .range = range,
                       .group_size = group,
                       .codes = codes.data(),
                       .codes_stride = stride,
                       .scales = scales.data(),
                       .scales_stride = groups + 1,
                       .block_sums = sums.data(),
                       .sums_stride = stride / kSumBlock});
        for (int64_t row = 0; row < rows; ++row) {
          for (int64_t g = 0; g < groups; ++g) {
            const Quantized one = run(x.data() + row * k + g * group, group, 1, group, range);
            const float scale = scales[static_cast<size_t>(row * (groups + 1) + g)];
            EXPECT_TRUE(testing::same_bits({scale}, one.scales)) << row << ' ' << g;
            EXPECT_TRUE(std::equal(one.codes.begin(), one.codes.begin() + group,
                                   codes.begin() + row * stride + g * group));
            for (int64_t block = 0; block < group / kSumBlock; ++block)
              EXPECT_EQ(sums[static_cast<size_t>((row * stride + g * group) / kSumBlock + block)],
                        one.sums[static_cast<size_t>(block)]);
          }
          EXPECT_EQ(scales[static_cast<size_t>(row * (groups + 1) + groups)], -1.0F);
        }
      }
    }
  }
}

TEST(QuantizeRows, StaticScalesSaturateAndShift) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const int bits : {8, 4}) {
    const CodeRange range = code_range({.bits = bits, .is_static = true});
    const int low = -(1 << (bits - 1)), high = -low - 1;
    EXPECT_EQ(range.min_code, low);
    EXPECT_EQ(range.max_code, high);
    Random random(5);
    for (const int zero_point : {0, 3, low, high}) {
      for (int64_t k = 1; k <= 140; ++k) {
        const float scale = 0.037F;
        std::vector<float> x = random.floats(k);
        if (k > 3) x[2] = 3e38F, x[3] = -3e38F;  // x / scale overflows
        std::vector<int8_t> codes(static_cast<size_t>(padded_k(k)), 99);
        std::vector<int32_t> sums(static_cast<size_t>(padded_k(k) / kSumBlock));
        float written = 0;
        QuantizeRowsArgs args{.x = x.data(),
                              .x_stride = k,
                              .rows = 1,
                              .k = k,
                              .range = range,
                              .fixed_scale = scale,
                              .zero_point = zero_point,
                              .codes = codes.data(),
                              .codes_stride = padded_k(k),
                              .scales = &written,
                              .block_sums = sums.data(),
                              .sums_stride = padded_k(k) / kSumBlock};
        quantize_rows(args);
        EXPECT_EQ(written, scale);
        for (int64_t i = 0; i < padded_k(k); ++i) {
          const float shifted =
              i < k ? x[static_cast<size_t>(i)] / scale + static_cast<float>(zero_point) : 0;
          const float code =
              std::nearbyintf(std::clamp(shifted, static_cast<float>(low), static_cast<float>(high)));
          ASSERT_EQ(codes[static_cast<size_t>(i)], static_cast<int>(code)) << "k=" << k << " at " << i;
        }
        x[static_cast<size_t>(k / 2)] = k % 2 == 0 ? inf : std::nanf("");
        quantize_rows(args);
        EXPECT_TRUE(std::isnan(written));
        EXPECT_TRUE(std::all_of(codes.begin(), codes.end(), [](int8_t code) { return code == 0; }));
      }
    }
  }
}

TEST(QuantizeRows, RulesAsNumbers) {
  EXPECT_EQ(ranges()[0].positive_divisor, 127.0F);
  EXPECT_EQ(ranges()[1].negative_divisor, 7.0F);
  EXPECT_EQ(ranges()[2].positive_divisor, 127.49F);
  EXPECT_EQ(ranges()[2].negative_divisor, 128.49F);
  EXPECT_EQ(ranges()[3].positive_divisor, 7.49F);
  EXPECT_EQ(ranges()[3].negative_divisor, 8.49F);
  EXPECT_EQ(ranges()[1].min_code, -7);
  EXPECT_EQ(ranges()[3].min_code, -8);
  EXPECT_EQ(ranges()[3].max_code, 7);
}

TEST(QuantizeRows, TiesGoToEven) {
  // s = 7/7 = 1: the codes are the values themselves, rounded.
  const std::vector<float> x = {7.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 3.4999998F};
  const Quantized q = run(x.data(), 8, 1, 8, ranges()[1]);
  EXPECT_EQ(std::vector<int8_t>(q.codes.begin(), q.codes.begin() + 8),
            (std::vector<int8_t>{7, 0, 2, 2, 0, -2, -2, 3}));
}

TEST(QuantizeRows, TwoSidedUsesTheLowestCode) {
  const std::vector<float> x = {-8.49F, 1.0F};
  const Quantized q = run(x.data(), 2, 1, 2, ranges()[3]);
  EXPECT_EQ(q.codes[0], -8);
  EXPECT_EQ(q.codes[1], 1);
}

TEST(QuantizeRows, ZeroAndVanishingRows) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> x = {0.0F, -0.0F, 0.0F, tiny, -tiny, 0.0F, 1e-38F, -3e-39F, 2e-40F};
  for (const CodeRange& range : ranges()) {
    const Quantized q = run(x.data(), 3, 3, 3, range);
    EXPECT_EQ(q.scales[0], 0.0F);
    EXPECT_FALSE(std::signbit(q.scales[0]) && q.scales[0] != 0);
    EXPECT_EQ(q.scales[1], 0.0F);
    EXPECT_TRUE(std::all_of(q.codes.begin(), q.codes.begin() + 128, [](int8_t c) { return c == 0; }));
    expect_equal(run(x.data() + 6, 3, 1, 3, range), reference(x.data() + 6, 3, 1, 3, range), 3);
  }
}

TEST(QuantizeRows, NanAndInfinityPoisonTheirRowOnly) {
  Random random(2);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float poison : {std::nanf(""), inf, -inf}) {
    for (const int64_t place : {0, 17, 36}) {
      std::vector<float> x = random.floats(3 * 37);
      x[static_cast<size_t>(37 + place)] = poison;
      const Quantized q = run(x.data(), 37, 3, 37, ranges()[0]);
      EXPECT_TRUE(std::isnan(q.scales[1]));
      EXPECT_TRUE(std::all_of(q.codes.begin() + 64, q.codes.begin() + 128, [](int8_t c) { return c == 0; }));
      EXPECT_EQ(q.sums[2], 0);
      expect_equal(run(x.data(), 37, 1, 37, ranges()[0]), reference(x.data(), 37, 1, 37, ranges()[0]), 37);
      EXPECT_EQ(q.scales[2], run(x.data() + 74, 37, 1, 37, ranges()[0]).scales[0]);
    }
  }
}

/// Scales of every size, so that a division by corrected reciprocals would show where it is not a division.
TEST(QuantizeRows, ManyScalesAndValuesNearTies) {
  Random random(3);
  const int64_t k = 4096;
  for (int exponent = -120; exponent <= 120; exponent += 3) {
    std::vector<float> x = random.floats(k, std::ldexp(1.0F, exponent));
    const float scale = reference(x.data(), k, 1, k, ranges()[0]).scales[0];
    // Half of the row: a few units of the last place around ties.
    for (size_t i = 0; i < x.size(); i += 2) {
      const float tie = (static_cast<float>(random.integer(-126, 125)) + 0.5F) * scale;
      x[i] = tie * (1.0F + static_cast<float>(random.integer(-3, 3)) * 0x1p-24F);
    }
    for (const CodeRange& range : ranges())
      expect_equal(run(x.data(), k, 1, k, range), reference(x.data(), k, 1, k, range), k);
  }
}

TEST(QuantizeRows, LargestFiniteValues) {
  const float most = std::numeric_limits<float>::max();
  const std::vector<float> x = {most, -most, most / 2, 1.0F};
  for (const CodeRange& range : ranges())
    expect_equal(run(x.data(), 4, 1, 4, range), reference(x.data(), 4, 1, 4, range), 4);
}

}  // namespace
}  // namespace tessera::kernels
