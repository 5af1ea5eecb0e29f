// Weight-only integers against float64 products of what they stand for, and the memory they take.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/linear.h"
#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

struct Case {
  int bits, group;
  bool zeros;
};

quant::LinearData random_data(int64_t out, int64_t in, const Case& c) {
  std::mt19937 random(static_cast<uint32_t>(out * 1000 + in));
  quant::LinearData data;
  data.scheme.weight = {.bits = c.bits, .group_size = c.group, .symmetric = !c.zeros};
  data.out = out;
  data.in = in;
  data.values = Tensor(DType::kI8, {out, in});
  const int top = 1 << (c.bits - 1);
  std::uniform_int_distribution<int> code(-top, top - 1);
  for (int8_t& value : data.values.as<int8_t>())
    value = static_cast<int8_t>(code(random));
  for (int64_t i = 0; i < out * data.groups(); ++i) {
    data.scales.push_back(std::uniform_real_distribution<float>(0.01F, 0.1F)(random));
    if (c.zeros) data.zero_points.push_back(static_cast<int8_t>(code(random)));
  }
  for (int64_t i = 0; i < out; ++i)
    data.bias.push_back(static_cast<float>(i));
  return data;
}

double weight_at(const quant::LinearData& data, int64_t n, int64_t k) {
  const int64_t group = data.scheme.weight.group_size == 0 ? 0 : k / data.scheme.weight.group_size;
  const auto at = static_cast<size_t>(n * data.groups() + group);
  const int zero = data.zero_points.empty() ? 0 : data.zero_points[at];
  return double{data.scales[at]} * (data.values.as<int8_t>()[static_cast<size_t>(n * data.in + k)] - zero);
}

void expect_products(const Linear& linear, const quant::LinearData& data, bool bf16, ThreadPool& pool) {
  const int64_t rows = 11;
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> x(static_cast<size_t>(rows * data.in)), y(static_cast<size_t>(rows * data.out), NAN);
  for (float& value : x)
    value = normal(random);
  LinearInput input;
  input.reset({x.data(), rows, data.in});
  const LinearCall call{&linear, {y.data(), rows, data.out}};
  run_linears(input, {&call, 1}, pool);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < data.out; ++n) {
      double sum = data.bias[static_cast<size_t>(n)], norm = std::abs(sum);
      for (int64_t k = 0; k < data.in; ++k) {
        const float value = x[static_cast<size_t>(m * data.in + k)];
        const double product =
            weight_at(data, n, k) * (bf16 ? quant::round_to_dtype(value, DType::kBF16) : value);
        sum += product;
        norm += std::abs(product);
      }
      // 128 columns a block, then the blocks.
      EXPECT_NEAR(y[static_cast<size_t>(m * data.out + n)], sum, 140 * 0x1p-24 * norm) << m << ", " << n;
    }
  }
}

TEST(UnpackedWeights, EqualTheirDefinitionInTheMemoryOfTheirCodes) {
  ThreadPool pool(2);
  for (const Case& c :
       {Case{4, 0, false}, Case{8, 0, false}, Case{4, 32, true}, Case{4, 128, false}, Case{8, 64, true}}) {
    for (const int64_t out : {1, 17, 64}) {
      const int64_t in = 384;
      const auto data = random_data(out, in, c);
      for (const FloatKind kind : {FloatKind::kBf16, FloatKind::kF32}) {
        auto linear = Linear::pack(random_data(out, in, c), {.kind = kind}, pool);
        ASSERT_TRUE(linear.has_value()) << linear.error().message();
        expect_products(*linear, data, kind == FloatKind::kBf16, pool);
        const int64_t panels = (out + 15) / 16, groups = data.groups();
        EXPECT_EQ(linear->packed_bytes(),
                  panels * 16 * (in * c.bits / 8 + groups * (c.zeros ? 5 : 4)) + out * 4);
        std::vector<float> row(static_cast<size_t>(in));
        linear->weights().read_row(out - 1, row.data());
        for (int64_t k = 0; k < in; ++k)
          EXPECT_EQ(row[static_cast<size_t>(k)], static_cast<float>(weight_at(data, out - 1, k)));
      }
    }
  }
}

TEST(UnpackedWeights, OddGroupsRunDequantized) {
  ThreadPool pool(2);
  auto linear = Linear::pack(random_data(20, 48, {4, 24, false}), {}, pool);
  ASSERT_TRUE(linear.has_value());
  EXPECT_TRUE(linear->weights().kernel().starts_with("gemm_bf16/"));
  EXPECT_TRUE(Linear::pack(random_data(20, 64, {4, 32, false}), {}, pool)
                  ->weights()
                  .kernel()
                  .starts_with("gemm_unpack/"));
}

TEST(UnpackedWeights, ZeroPointsOutsideTheCodesAreRefused) {
  ThreadPool pool(1);
  auto data = random_data(2, 32, {4, 0, true});
  data.zero_points[1] = 8;
  const auto linear = Linear::pack(std::move(data), {}, pool);
  ASSERT_FALSE(linear.has_value());
  EXPECT_EQ(linear.error().message(), "zero point 1 is 8, expected -8..7");
}

}  // namespace
}  // namespace tessera::ops
