// Linear against float64 products of the codes or values, for every scheme, odd shapes, and any split over
// threads.
#include "ops/linear.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

struct Case {
  int bits = 8, activation_bits = 8, group = 0;
};

std::vector<float> random_values(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(random);
  return values;
}

quant::LinearData float_data(int64_t out, int64_t in, bool bias) {
  quant::LinearData data;
  data.scheme.weight.bits = 32;
  data.out = out;
  data.in = in;
  data.values = Tensor(DType::kF32, {out, in});
  std::ranges::copy(random_values(static_cast<size_t>(out * in), 1), data.values.as<float>().begin());
  if (bias) data.bias = random_values(static_cast<size_t>(out), 2);
  return data;
}

quant::LinearData integer_data(int64_t out, int64_t in, const Case& scheme, bool bias) {
  const quant::LinearData from = float_data(out, in, bias);
  quant::LinearData data;
  data.scheme.weight = {.bits = scheme.bits, .group_size = scheme.group};
  data.scheme.activation.bits = scheme.activation_bits;
  data.out = out;
  data.in = in;
  data.bias = from.bias;
  data.values = Tensor(DType::kI8, {out, in});
  data.scales.resize(static_cast<size_t>(out * data.groups()));
  const auto width = static_cast<size_t>(in), groups = static_cast<size_t>(data.groups());
  for (size_t row = 0; row < static_cast<size_t>(out); ++row) {
    EXPECT_TRUE(quant::encode_row(from.values.as<float>().subspan(row * width, width), scheme.bits,
                                  scheme.group, DType::kF32,
                                  std::span(data.scales).subspan(row * groups, groups),
                                  data.values.as<int8_t>().subspan(row * width, width)));
  }
  return data;
}

/// x rounded as the scheme's activations are: absmax/127 or absmax/7, half to even.
std::vector<double> rounded_input(const std::vector<float>& x, int64_t in, int bits) {
  std::vector<double> result(x.begin(), x.end());
  if (bits == 16) return result;
  const auto width = static_cast<size_t>(in);
  for (size_t begin = 0; begin < x.size(); begin += width) {
    float top = 0;
    for (size_t k = 0; k < width; ++k)
      top = std::max(top, std::abs(x[begin + k]));
    const float scale = top / (bits == 8 ? 127.0F : 7.0F);
    for (size_t k = 0; k < width; ++k)
      result[begin + k] = static_cast<double>(std::nearbyintf(x[begin + k] / scale)) * scale;
  }
  return result;
}

double weight_at(const quant::LinearData& data, int64_t n, int64_t k) {
  const auto at = static_cast<size_t>(n * data.in + k);
  if (data.scheme.is_float()) return data.values.as<float>()[at];
  const int64_t group = data.scheme.weight.group_size == 0 ? 0 : k / data.scheme.weight.group_size;
  return static_cast<double>(data.values.as<int8_t>()[at]) *
         static_cast<double>(data.scales[static_cast<size_t>(n * data.groups() + group)]);
}

void expect_products(const Linear& linear, const quant::LinearData& data, int activation_bits, double epsilon,
                     int64_t rows, ThreadPool& pool) {
  const auto x = random_values(static_cast<size_t>(rows * data.in), 3);
  std::vector<float> y(static_cast<size_t>(rows * data.out), NAN);
  LinearInput input;
  input.reset({x.data(), rows, data.in});
  const std::array<LinearCall, 1> calls{{{&linear, {y.data(), rows, data.out}}}};
  run_linears(input, calls, pool);
  const auto rounded = rounded_input(x, data.in, activation_bits);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < data.out; ++n) {
      double sum = 0, norm = 0;
      for (int64_t k = 0; k < data.in; ++k) {
        const double product = rounded[static_cast<size_t>(m * data.in + k)] * weight_at(data, n, k);
        sum += product;
        norm += std::abs(product);
      }
      if (!data.bias.empty()) sum += data.bias[static_cast<size_t>(n)];
      EXPECT_NEAR(y[static_cast<size_t>(m * data.out + n)], sum, epsilon * (norm + 1)) << m << ", " << n;
    }
  }
}

TEST(Linear, IntegerSchemesEqualTheirDefinition) {
  ThreadPool pool(2);
  for (const Case& scheme : {Case{8, 8, 0}, Case{4, 8, 0}, Case{4, 4, 0}, Case{4, 4, 32}, Case{4, 8, 64}}) {
    for (const int64_t out : {1, 15, 16, 33, 130}) {
      for (const int64_t rows : {1, 3, 20}) {
        const auto data = integer_data(out, 128, scheme, out % 2 == 1);
        auto linear =
            Linear::pack(integer_data(out, 128, scheme, out % 2 == 1), {.kind = FloatKind::kBf16}, pool);
        ASSERT_TRUE(linear.has_value()) << linear.error().message();
        expect_products(*linear, data, scheme.activation_bits, 1e-6, rows, pool);
      }
    }
  }
}

TEST(Linear, WeightOnlySchemesRunDequantized) {
  ThreadPool pool(2);
  const auto data = integer_data(20, 96, {4, 16, 32}, true);
  auto linear = Linear::pack(integer_data(20, 96, {4, 16, 32}, true), {.kind = FloatKind::kF32}, pool);
  ASSERT_TRUE(linear.has_value());
  EXPECT_EQ(linear->scheme().name(), "w4a16-g32");
  expect_products(*linear, data, 16, 1e-6, 5, pool);
}

TEST(Linear, FloatKinds) {
  ThreadPool pool(2);
  for (const int64_t in : {1, 7, 64, 101}) {
    const auto data = float_data(37, in, true);
    auto f32 = Linear::pack(float_data(37, in, true), {.kind = FloatKind::kF32}, pool);
    auto bf16 = Linear::pack(float_data(37, in, true), {.kind = FloatKind::kBf16}, pool);
    ASSERT_TRUE(f32.has_value() && bf16.has_value());
    expect_products(*f32, data, 16, 1e-6, 9, pool);
    expect_products(*bf16, data, 16, 0x1p-7, 9, pool);
    std::vector<float> row(static_cast<size_t>(in));
    f32->read_row(20, row.data());
    for (int64_t k = 0; k < in; ++k)
      EXPECT_EQ(row[static_cast<size_t>(k)], data.values.as<float>()[static_cast<size_t>(20 * in + k)]);
    bf16->read_row(36, row.data());
    for (int64_t k = 0; k < in; ++k) {
      const float value = data.values.as<float>()[static_cast<size_t>(36 * in + k)];
      EXPECT_EQ(row[static_cast<size_t>(k)], quant::round_to_dtype(value, DType::kBF16));
    }
  }
}

TEST(Linear, WhatNoKernelRunsIsNamed) {
  const quant::LinearScheme odd_group{.weight = {.bits = 4, .group_size = 24}, .activation = {.bits = 8}};
  const auto status = Linear::check(odd_group, 96);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message(), "scheme w4a8-g24: groups of 24, expected a multiple of 32");
  EXPECT_FALSE(
      Linear::check({.weight = {.bits = 8, .symmetric = false}, .activation = {.bits = 8}}, 64).has_value());
  EXPECT_FALSE(Linear::check({.weight = {.bits = 8}, .activation = {.bits = 8}}, 1 << 20).has_value());
}

}  // namespace
}  // namespace tessera::ops
