// bf16 weights in rows against the same weights in tiles: equal within the rounding of another order of sums.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/linear.h"
#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

quant::LinearData random_data(int64_t out, int64_t in) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 1);
  quant::LinearData data;
  data.scheme.weight.bits = 32;
  data.out = out;
  data.in = in;
  data.values = Tensor(DType::kF32, {out, in});
  for (float& value : data.values.as<float>())
    value = normal(random);
  for (int64_t i = 0; i < out; ++i)
    data.bias.push_back(normal(random));
  return data;
}

std::vector<float> product(const Linear& linear, const std::vector<float>& x, ThreadPool& pool) {
  const auto rows = static_cast<int64_t>(x.size()) / linear.in();
  std::vector<float> y(static_cast<size_t>(rows * linear.out()), NAN);
  LinearInput input;
  input.reset({x.data(), rows, linear.in()});
  const LinearCall call{&linear, {y.data(), rows, linear.out()}};
  run_linears(input, {&call, 1}, pool);
  return y;
}

TEST(Bf16RowWeights, AnswerAsTilesDo) {
  ThreadPool pool(2);
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{37, 101}, {64, 256}, {1, 1}}) {
    auto rows = Linear::pack(random_data(out, in), {.layout = WeightLayout::kNd}, pool);
    auto tiles = Linear::pack(random_data(out, in), {.layout = WeightLayout::kNz}, pool);
    ASSERT_TRUE(rows.has_value() && tiles.has_value());
    EXPECT_TRUE(rows->weights().kernel().starts_with("gemm_bf16_rows/"));
    EXPECT_TRUE(tiles->weights().kernel().starts_with("gemm_bf16/"));
    std::vector<float> x(static_cast<size_t>(9 * in));
    std::mt19937 random(6);
    for (float& value : x)
      value = std::normal_distribution<float>(0, 1)(random);
    const std::vector<float> a = product(*rows, x, pool), b = product(*tiles, x, pool);
    // Sums of products of magnitude about 1.
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_NEAR(a[i], b[i], 0x1p-22 * static_cast<double>(in));
    std::vector<float> row(static_cast<size_t>(in)), other(static_cast<size_t>(in));
    rows->weights().read_row(out - 1, row.data());
    tiles->weights().read_row(out - 1, other.data());
    EXPECT_EQ(row, other);
  }
}

}  // namespace
}  // namespace tessera::ops
