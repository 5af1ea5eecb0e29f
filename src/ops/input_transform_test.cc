#include "ops/input_transform.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <tuple>

#include "ops/linear.h"

namespace tessera::ops {
namespace {

std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(random);
  return values;
}

/// left^T (x right) in double precision, x as [rows, columns].
std::vector<double> kronecker(const quant::KroneckerPair& pair, const float* x) {
  const auto rows = static_cast<size_t>(pair.rows), columns = static_cast<size_t>(pair.columns);
  std::vector<double> y(rows * columns);
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j)
      for (size_t a = 0; a < rows; ++a)
        for (size_t b = 0; b < columns; ++b)
          y[i * columns + j] += static_cast<double>(pair.left[a * rows + i]) * x[a * columns + b] *
                                static_cast<double>(pair.right[b * columns + j]);
  return y;
}

quant::KroneckerPair random_pair(int64_t rows, int64_t columns) {
  return {rows, columns, random_floats(static_cast<size_t>(rows * rows), 1),
          random_floats(static_cast<size_t>(columns * columns), 2)};
}

std::unique_ptr<const InputTransform> made(quant::InputTransform steps, int64_t in) {
  auto transform = InputTransform::make(std::move(steps), in);
  EXPECT_TRUE(transform.has_value()) << transform.error().message();
  return *std::move(transform);
}

TEST(InputTransform, KroneckerPairsAgainstDoublePrecision) {
  ThreadPool pool(2);
  for (const auto& [rows, columns] :
       {std::pair<int64_t, int64_t>{1, 1}, {1, 7}, {5, 1}, {8, 12}, {17, 33}, {40, 64}}) {
    const int64_t in = rows * columns, tokens = 3, stride = in + 5;
    const auto pair = random_pair(rows, columns);
    const auto transform = made({pair}, in);
    const auto x = random_floats(static_cast<size_t>(tokens * stride), 3);
    std::vector<float> y(static_cast<size_t>(tokens * in));
    transform->apply({x.data(), tokens, in, stride}, {y.data(), tokens, in}, pool);
    for (int64_t token = 0; token < tokens; ++token) {
      const auto expected = kronecker(pair, x.data() + token * stride);
      for (int64_t k = 0; k < in; ++k)
        ASSERT_NEAR(y[static_cast<size_t>(token * in + k)], expected[static_cast<size_t>(k)],
                    2e-6 * static_cast<double>(in + 16))
            << rows << " x " << columns << ", column " << k;
    }
  }
}

TEST(InputTransform, StepsRunInTheirOrderAndARowStaysItself) {
  ThreadPool pool(3);
  const int64_t in = 96, tokens = 400;
  const auto pair = random_pair(8, 12);
  const auto factors = random_floats(96, 4);
  const auto transform = made({quant::ColumnFactors{factors}, pair, quant::ColumnFactors{factors}}, in);
  const auto x = random_floats(static_cast<size_t>(tokens * in), 5);
  std::vector<float> all(x.size()), alone(static_cast<size_t>(in));
  transform->apply({x.data(), tokens, in}, {all.data(), tokens, in}, pool);
  const int64_t row = 123;
  transform->apply({x.data() + row * in, 1, in}, {alone.data(), 1, in}, pool);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + row * in));
  std::vector<float> scaled(static_cast<size_t>(in));
  for (size_t k = 0; k < scaled.size(); ++k)
    scaled[k] = x[static_cast<size_t>(row * in) + k] * factors[k];
  const auto expected = kronecker(pair, scaled.data());
  for (size_t k = 0; k < alone.size(); ++k)
    EXPECT_NEAR(alone[k], expected[k] * static_cast<double>(factors[k]), 1e-3);
}

TEST(InputTransform, ColumnsInAnotherOrder) {
  ThreadPool pool(1);
  const std::vector<float> x{10, 11, 12, 13, 20, 21, 22, 23};
  const std::vector<int32_t> order{2, 0, 3, 1};
  std::vector<float> y(8);
  made({quant::ColumnOrder{order}}, 4)->apply({x.data(), 2, 4}, {y.data(), 2, 4}, pool);
  EXPECT_EQ(y, (std::vector<float>{12, 10, 13, 11, 22, 20, 23, 21}));
  made({quant::ColumnOrder{order}, quant::ColumnOrder{order}}, 4)
      ->apply({x.data(), 2, 4}, {y.data(), 2, 4}, pool);
  EXPECT_EQ(y, (std::vector<float>{13, 12, 11, 10, 23, 22, 21, 20}));
  for (const std::vector<int32_t>& bad :
       {std::vector<int32_t>{0, 1, 2}, {0, 1, 2, 2}, {0, 1, 2, 4}, {0, 1, 2, -1}}) {
    EXPECT_FALSE(InputTransform::make({quant::ColumnOrder{bad}}, 4).has_value());
  }
}

/// Each block of x times `matrix` [n, n], in double precision.
std::vector<double> by_blocks(const std::vector<float>& x, const std::vector<double>& matrix, size_t n) {
  std::vector<double> y(x.size());
  for (size_t first = 0; first < x.size(); first += n) {
    for (size_t k = 0; k < n; ++k)
      for (size_t j = 0; j < n; ++j)
        y[first + j] += static_cast<double>(x[first + k]) * matrix[k * n + j];
  }
  return y;
}

/// `steps` on rows one apart from another, several tokens and one alone, into other rows and in place.
void expect_blocks(const quant::InputTransform& steps, const std::vector<double>& matrix, size_t n,
                   int64_t in) {
  ThreadPool pool(2);
  const int64_t tokens = 37, stride = in + 3;
  const auto transform = made(steps, in);
  const auto x = random_floats(static_cast<size_t>(tokens * stride), 11);
  std::vector<float> y(static_cast<size_t>(tokens * in)), in_place(x);
  transform->apply({x.data(), tokens, in, stride}, {y.data(), tokens, in}, pool);
  transform->apply_in_place({in_place.data(), tokens, in, stride});
  for (int64_t token = 0; token < tokens; ++token) {
    const std::vector<float> row(x.begin() + token * stride, x.begin() + token * stride + in);
    const auto expected = by_blocks(row, matrix, n);
    std::vector<float> alone(row.size());
    transform->apply({row.data(), 1, in}, {alone.data(), 1, in}, pool);
    for (size_t k = 0; k < row.size(); ++k) {
      const float got = y[static_cast<size_t>(token * in) + k];
      ASSERT_NEAR(got, expected[k], 1e-5 * std::sqrt(static_cast<double>(n))) << token << ", " << k;
      ASSERT_EQ(got, alone[k]) << token << ", " << k;
      ASSERT_EQ(got, in_place[static_cast<size_t>(token * stride) + k]) << token << ", " << k;
    }
  }
}

TEST(InputTransform, MatricesOverBlocks) {
  for (const auto& [n, in] : {std::pair<int64_t, int64_t>{1, 5}, {7, 21}, {16, 16}, {20, 40}, {48, 96}}) {
    const auto size = static_cast<size_t>(n);
    auto matrix = std::make_shared<quant::SquareMatrix>();
    matrix->size = n;
    matrix->values = random_floats(size * size, 12);
    const std::vector<double> numbers(matrix->values.begin(), matrix->values.end());
    expect_blocks({quant::BlockMatrix{matrix}}, numbers, size, in);
  }
}

TEST(InputTransform, HadamardsOverBlocks) {
  for (const bool transposed : {false, true}) {
    for (const auto& [base, n, in] : {std::tuple<int64_t, int64_t, int64_t>{1, 4, 12},
                                      {1, 64, 128},
                                      {4, 32, 64},
                                      {12, 48, 96},
                                      {12, 192, 192}}) {
      quant::BlockHadamard hadamard{.size = n, .base = base, .transposed = transposed};
      const auto order = static_cast<size_t>(base), size = static_cast<size_t>(n), run = size / order;
      if (base > 1) {
        hadamard.signs = random_floats(order * order, 13);
        for (float& sign : hadamard.signs)
          sign = sign < 0 ? -1.F : 1.F;
      }
      std::vector<double> matrix(size * size);
      for (size_t row = 0; row < size; ++row) {
        for (size_t column = 0; column < size; ++column) {
          const double b = base == 1 ? 1 : hadamard.signs[row / run * order + column / run];
          const double sylvester = std::popcount(row % run & column % run) % 2 == 0 ? 1 : -1;
          const size_t at = transposed ? column * size + row : row * size + column;
          matrix[at] = b * sylvester / std::sqrt(static_cast<double>(n));
        }
      }
      expect_blocks({hadamard}, matrix, size, in);
    }
  }
}

TEST(InputTransform, LinearsShareTheirMatrices) {
  auto matrix = std::make_shared<quant::SquareMatrix>();
  matrix->size = 32;
  matrix->values = random_floats(32 * 32, 14);
  SharedMatrices shared;
  const auto one = InputTransform::make({quant::BlockMatrix{matrix}}, 64, &shared);
  const int64_t bytes = shared.bytes();
  EXPECT_EQ(bytes, 2 * 32 * 32 * 4);
  const auto other = InputTransform::make({quant::BlockMatrix{matrix}}, 96, &shared);
  EXPECT_EQ(shared.bytes(), bytes);
  EXPECT_TRUE(one.has_value() && other.has_value() && **one == **other && (*one)->bytes() == 0);
}

TEST(InputTransform, SizesThatDoNotFit) {
  const auto error = [](quant::InputTransform steps, int64_t in) {
    const auto transform = InputTransform::make(std::move(steps), in);
    return transform.has_value() ? "" : transform.error().message();
  };
  EXPECT_EQ(error({quant::ColumnFactors{{1.F, 2.F}}}, 3), "2 factors of the input, expected 3");
  for (const auto& hadamard : {quant::BlockHadamard{.size = 24}, quant::BlockHadamard{.size = 32},
                               quant::BlockHadamard{.size = 12, .base = 6, .signs = std::vector<float>(36)},
                               quant::BlockHadamard{.size = 12, .base = 12}})
    EXPECT_NE(error({hadamard}, 48), "") << hadamard.size;
  const auto matrix = std::make_shared<quant::SquareMatrix>(quant::SquareMatrix{5, std::vector<float>(25)});
  EXPECT_NE(error({quant::BlockMatrix{matrix}}, 48), "");
  EXPECT_EQ(error({random_pair(2, 3)}, 8),
            "a Kronecker pair of 4 and 9 numbers for [2, 3], expected squares for 8 columns");
  auto pair = random_pair(2, 3);
  pair.left.pop_back();
  EXPECT_NE(error({pair}, 6), "");
}

TEST(InputTransform, LinearsShareWhatIsEqualAndOnlyThat) {
  ThreadPool pool(1);
  const auto pair = random_pair(4, 8);
  auto other = pair;
  other.right[3] += 1;
  const auto one = made({pair}, 32), same = made({pair}, 32), different = made({other}, 32);
  const auto x = random_floats(64, 6);
  LinearInput input;
  input.reset({x.data(), 2, 32});
  LinearInput& first = input.transformed(*one, pool);
  EXPECT_EQ(&first, &input.transformed(*same, pool));
  EXPECT_NE(&first, &input.transformed(*different, pool));
  EXPECT_EQ(input.rows().data, x.data()) << "the input itself stays for linears without a transform";
}

/// A linear behind a transform computes what the linear of the folded weights does.
TEST(InputTransform, LinearsApplyTheirs) {
  ThreadPool pool(2);
  const int64_t in = 24, out = 19, tokens = 3;
  const auto pair = random_pair(4, 6);
  const auto weights = random_floats(static_cast<size_t>(in * out), 7);
  const auto x = random_floats(static_cast<size_t>(in * tokens), 8);
  quant::LinearData data;
  data.scheme.weight.bits = 32;
  data.out = out;
  data.in = in;
  data.values = *Tensor::allocate(DType::kF32, {out, in});
  std::ranges::copy(weights, data.values.as<float>().begin());
  data.transform = {pair};
  auto linear = Linear::pack(std::move(data), {.kind = FloatKind::kF32}, pool);
  ASSERT_TRUE(linear.has_value()) << linear.error().message();
  LinearInput input;
  input.reset({x.data(), tokens, in});
  std::vector<float> y(static_cast<size_t>(tokens * out));
  const std::vector<LinearCall> calls{{&*linear, {y.data(), tokens, out}}};
  run_linears(input, calls, pool);
  for (int64_t token = 0; token < tokens; ++token) {
    const auto row = kronecker(pair, x.data() + token * in);
    for (int64_t n = 0; n < out; ++n) {
      double expected = 0;
      for (int64_t k = 0; k < in; ++k)
        expected +=
            row[static_cast<size_t>(k)] * static_cast<double>(weights[static_cast<size_t>(n * in + k)]);
      EXPECT_NEAR(y[static_cast<size_t>(token * out + n)], expected, 1e-3);
    }
  }
}

}  // namespace
}  // namespace tessera::ops
