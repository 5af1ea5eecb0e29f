// Linear against float64 products of the codes or values, for every scheme, odd shapes, and any split over
// threads.
#include "ops/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

struct Case {
  int bits = 8, activation_bits = 8, group = 0;
  bool symmetric = true;
  int activation_group = 0;
  bool is_static = false;
  int zero_point = 0;  // of static activations
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
  data.scheme.weight = {.bits = scheme.bits, .group_size = scheme.group, .symmetric = scheme.symmetric};
  data.scheme.activation = {
      .bits = scheme.activation_bits, .group_size = scheme.activation_group, .is_static = scheme.is_static};
  if (scheme.is_static) data.input = {.scale = 0.019F, .zero_point = scheme.zero_point};
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
  const int low = -(1 << (scheme.bits - 1));
  std::mt19937 random(4);
  while (!scheme.symmetric && data.zero_points.size() < data.scales.size())
    data.zero_points.push_back(static_cast<int8_t>(low + static_cast<int>(random() % (1U << scheme.bits))));
  return data;
}

/// x rounded as the scheme's activations are, half to even: absmax/127 or absmax/7 per token or group, or to
/// the static scale.
std::vector<double> rounded_input(const std::vector<float>& x, const quant::LinearData& data) {
  std::vector<double> result(x.begin(), x.end());
  const quant::ActivationScheme& scheme = data.scheme.activation;
  if (scheme.bits == 16) return result;
  const int high = scheme.bits == 8 ? 127 : 7;
  const auto width = static_cast<size_t>(scheme.group_size == 0 ? data.in : scheme.group_size);
  for (size_t begin = 0; begin < x.size(); begin += width) {
    float top = 0;
    for (size_t k = 0; k < width; ++k)
      top = std::max(top, std::abs(x[begin + k]));
    const float scale = scheme.is_static ? data.input.scale : top / static_cast<float>(high);
    const int zero = scheme.is_static ? data.input.zero_point : 0;
    for (size_t k = 0; k < width; ++k) {
      const float code = std::nearbyintf(x[begin + k] / scale + static_cast<float>(zero));
      const float clamped = std::clamp(code, static_cast<float>(-high - 1), static_cast<float>(high));
      result[begin + k] = static_cast<double>(clamped - static_cast<float>(zero)) * scale;
    }
  }
  return result;
}

double weight_at(const quant::LinearData& data, int64_t n, int64_t k) {
  const auto at = static_cast<size_t>(n * data.in + k);
  if (data.scheme.is_float()) return data.values.as<float>()[at];
  const int64_t group = data.scheme.weight.group_size == 0 ? 0 : k / data.scheme.weight.group_size;
  const auto scale = static_cast<size_t>(n * data.groups() + group);
  const int zero = data.zero_points.empty() ? 0 : data.zero_points[scale];
  return static_cast<double>(data.values.as<int8_t>()[at] - zero) * static_cast<double>(data.scales[scale]);
}

void expect_products(const Linear& linear, const quant::LinearData& data, double epsilon, int64_t rows,
                     ThreadPool& pool) {
  const auto x = random_values(static_cast<size_t>(rows * data.in), 3);
  std::vector<float> y(static_cast<size_t>(rows * data.out), NAN);
  LinearInput input;
  input.reset({x.data(), rows, data.in});
  const std::array<LinearCall, 1> calls{{{&linear, {y.data(), rows, data.out}}}};
  run_linears(input, calls, pool);
  const auto rounded = rounded_input(x, data);
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

constexpr Case kIntegerCases[] = {
    {8, 8},
    {4, 8},
    {4, 4},
    {4, 4, 32},
    {4, 8, 64},
    {.bits = 8, .symmetric = false},
    {.bits = 4, .group = 32, .symmetric = false},
    {.bits = 8, .group = 128, .symmetric = false},
    {.bits = 4, .activation_bits = 4, .activation_group = 32},
    {.bits = 4, .group = 128, .symmetric = false, .activation_group = 64},
    {.bits = 8, .group = 32, .activation_group = 128},
    {.bits = 8, .is_static = true},
    {.bits = 8, .is_static = true, .zero_point = -128},
    {.bits = 4, .symmetric = false, .is_static = true, .zero_point = 77},
};

TEST(Linear, IntegerSchemesEqualTheirDefinition) {
  ThreadPool pool(2);
  for (const Case& scheme : kIntegerCases) {
    for (const int64_t out : {1, 15, 16, 33, 130}) {
      for (const int64_t rows : {1, 3, 20}) {
        const auto data = integer_data(out, 128, scheme, out % 2 == 1);
        for (const WeightLayout layout : {WeightLayout::kNz, WeightLayout::kNd}) {
          auto linear = Linear::pack(integer_data(out, 128, scheme, out % 2 == 1), {.layout = layout}, pool);
          ASSERT_TRUE(linear.has_value()) << linear.error().message();
          EXPECT_EQ(linear->weights().kernel().starts_with("gemm_s8_rows/"), layout == WeightLayout::kNd);
          expect_products(*linear, data, 1e-6, rows, pool);
        }
      }
    }
  }
}

TEST(Linear, IntegerRowsAreReadBack) {
  ThreadPool pool(2);
  for (const Case& scheme : kIntegerCases) {
    const auto data = integer_data(37, 128, scheme, false);
    for (const WeightLayout layout : {WeightLayout::kNz, WeightLayout::kNd}) {
      auto linear = Linear::pack(integer_data(37, 128, scheme, false), {.layout = layout}, pool);
      ASSERT_TRUE(linear.has_value()) << linear.error().message();
      std::vector<float> row(128);
      for (const int64_t index : {0, 17, 36}) {
        linear->read_row(index, row.data());
        for (int64_t k = 0; k < 128; ++k)
          EXPECT_EQ(row[static_cast<size_t>(k)], static_cast<float>(weight_at(data, index, k)))
              << index << ' ' << k;
      }
    }
  }
}

/// q, k and v of mixed checkpoints: the codes of one scheme are not lost to another's.
TEST(Linear, OneInputServesDifferentSchemes) {
  ThreadPool pool(2);
  const std::array<Case, 3> cases{{{8, 8}, {4, 4}, {.bits = 8, .is_static = true}}};
  std::vector<Linear> linears;
  std::vector<std::vector<float>> together(3, std::vector<float>(5 * 33)), alone = together;
  for (const Case& scheme : cases)
    linears.push_back(*Linear::pack(integer_data(33, 96, scheme, true), {}, pool));
  const auto x = random_values(5 * 96, 3);
  LinearInput input;
  for (int again = 0; again < 2; ++again) {
    input.reset({x.data(), 5, 96});
    std::vector<LinearCall> calls;
    for (size_t i = 0; i < 3; ++i)
      calls.push_back({&linears[i], {together[i].data(), 5, 33}});
    run_linears(input, calls, pool);
    for (size_t i = 0; i < 3; ++i) {
      LinearInput own;
      own.reset({x.data(), 5, 96});
      const std::array<LinearCall, 1> call{{{&linears[i], {alone[i].data(), 5, 33}}}};
      run_linears(own, call, pool);
    }
    EXPECT_EQ(together, alone);
  }
}

TEST(Linear, AnyNumberOfThreadsAndRowsGivesTheSameBits) {
  ThreadPool one(1);
  const auto x = random_values(30 * 128, 3);
  for (const Case& scheme : kIntegerCases) {
    auto linear = Linear::pack(integer_data(300, 128, scheme, true), {}, one);
    ASSERT_TRUE(linear.has_value());
    std::vector<float> expected(30 * 300), got(30 * 300);
    LinearInput input;
    for (int64_t row = 0; row < 30; ++row) {
      input.reset({x.data() + row * 128, 1, 128});
      const std::array<LinearCall, 1> call{{{&*linear, {expected.data() + row * 300, 1, 300}}}};
      run_linears(input, call, one);
    }
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads);
      input.reset({x.data(), 30, 128});
      const std::array<LinearCall, 1> call{{{&*linear, {got.data(), 30, 300}}}};
      run_linears(input, call, pool);
      EXPECT_EQ(got, expected) << linear->scheme().name() << ", " << threads << " threads";
    }
  }
}

TEST(Linear, WeightOnlySchemesRunDequantized) {
  ThreadPool pool(2);
  const auto data = integer_data(20, 96, {4, 16, 32}, true);
  auto linear = Linear::pack(integer_data(20, 96, {4, 16, 32}, true), {.kind = FloatKind::kF32}, pool);
  ASSERT_TRUE(linear.has_value());
  EXPECT_EQ(linear->scheme().name(), "w4a16-g32");
  expect_products(*linear, data, 1e-6, 5, pool);
}

TEST(Linear, FloatKinds) {
  ThreadPool pool(2);
  for (const int64_t in : {1, 7, 64, 101}) {
    const auto data = float_data(37, in, true);
    auto f32 = Linear::pack(float_data(37, in, true), {.kind = FloatKind::kF32}, pool);
    auto bf16 = Linear::pack(float_data(37, in, true), {.kind = FloatKind::kBf16}, pool);
    ASSERT_TRUE(f32.has_value() && bf16.has_value());
    expect_products(*f32, data, 1e-6, 9, pool);
    expect_products(*bf16, data, 0x1p-7, 9, pool);
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
  EXPECT_EQ(status.error().message(),
            "scheme w4a8-g24: groups of 24, expected a multiple of 32 that divides 96 inputs");
  const auto refused = [](const Case& c, int64_t in) {
    const quant::LinearScheme scheme{
        .weight = {.bits = c.bits, .group_size = c.group, .symmetric = c.symmetric},
        .activation = {
            .bits = c.activation_bits, .group_size = c.activation_group, .is_static = c.is_static}};
    return !Linear::check(scheme, in).has_value();
  };
  EXPECT_FALSE(refused({.group = 32, .symmetric = false, .activation_group = 64}, 192));
  EXPECT_TRUE(refused({.group = 64, .activation_group = 96}, 192));
  EXPECT_TRUE(refused({.group = 64}, 160));
  EXPECT_TRUE(refused({.activation_group = 48}, 192));
  EXPECT_TRUE(refused({.group = 64, .is_static = true}, 192));
  EXPECT_TRUE(refused({.symmetric = false, .is_static = true}, 40000));
  EXPECT_TRUE(refused({.bits = 3}, 64));
  EXPECT_FALSE(Linear::check({.weight = {.bits = 8}, .activation = {.bits = 8}}, 1 << 20).has_value());
}

}  // namespace
}  // namespace tessera::ops
