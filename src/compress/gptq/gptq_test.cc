#include "compress/gptq/gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

constexpr int64_t kIn = 160, kOut = 12, kRows = 400;  // more columns than a block

struct Problem {
  std::vector<float> x, weight, scales;
  quant::WeightScheme scheme{.bits = 4};
};

/// Inputs that correlate (each column is half its neighbour), and weights.
Problem make_problem(unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Problem problem;
  for (int64_t row = 0; row < kRows; ++row) {
    float last = 0;
    for (int64_t column = 0; column < kIn; ++column) {
      last = 0.9F * last + normal(generator) * (1 + static_cast<float>(column % 7));
      problem.x.push_back(last);
    }
  }
  for (int64_t i = 0; i < kOut * kIn; ++i)
    problem.weight.push_back(normal(generator));
  for (int64_t row = 0; row < kOut; ++row) {
    problem.scales.push_back(
        quant::choose_scale(std::span(problem.weight).subspan(static_cast<size_t>(row * kIn), kIn), 4,
                            DType::kF32, quant::Clip::kNone));
  }
  return problem;
}

class Gptq : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = DenseAlgebra::open(2);
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    algebra_ = std::move(*opened);
  }

  ColumnOrder order_of(const std::vector<float>& x, int64_t rows) {
    Hessian hessian(kIn);
    hessian.add(x.data(), rows / 2, *algebra_);
    hessian.add(x.data() + rows / 2 * kIn, rows - rows / 2, *algebra_);
    EXPECT_EQ(hessian.rows(), rows);
    return order_columns(hessian, 0.01, *algebra_);
  }

  std::vector<int8_t> codes_of(const Problem& problem, const ColumnOrder& order) {
    std::vector<float> weight = problem.weight;
    return gptq_codes(weight, kOut, kIn, problem.scheme, problem.scales, order, *algebra_, pool_);
  }

  std::unique_ptr<DenseAlgebra> algebra_;
  ThreadPool pool_{2};
};

/// The squared error of the outputs for the inputs of the problem.
double output_error(const Problem& problem, const std::vector<int8_t>& codes) {
  double error = 0;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t out = 0; out < kOut; ++out) {
      double difference = 0;
      for (int64_t k = 0; k < kIn; ++k) {
        const auto i = static_cast<size_t>(out * kIn + k);
        const double rounded = codes[i] * static_cast<double>(problem.scales[static_cast<size_t>(out)]);
        difference += problem.x[static_cast<size_t>(row * kIn + k)] *
                      (static_cast<double>(problem.weight[i]) - rounded);
      }
      error += difference * difference;
    }
  }
  return error;
}

/// The paper's algorithm without blocks or factors: after each column the inverse of what is left is made
/// anew (Gauss-Jordan in float64), which is what OBS asks for: w -= (w_q - q) / [H^-1]_qq * [H^-1]_q.
std::vector<int8_t> textbook(const Problem& problem, const std::vector<int32_t>& order) {
  std::vector<std::vector<double>> h(kIn, std::vector<double>(kIn));
  double mean = 0;
  for (size_t i = 0; i < kIn; ++i) {
    for (size_t j = 0; j < kIn; ++j) {
      for (size_t row = 0; row < kRows; ++row)
        h[i][j] +=
            static_cast<double>(problem.x[row * kIn + i]) * static_cast<double>(problem.x[row * kIn + j]);
    }
    mean += h[i][i] / kIn;
  }
  for (size_t i = 0; i < kIn; ++i)
    h[i][i] += 0.01 * mean;
  std::vector<double> weight(problem.weight.begin(), problem.weight.end());
  std::vector<int8_t> codes(weight.size());
  for (size_t done = 0; done < kIn; ++done) {
    const size_t left = kIn - done;
    std::vector<std::vector<double>> a(
        left, std::vector<double>(left + 1));  // H of those left, and the column's unit vector
    for (size_t i = 0; i < left; ++i) {
      for (size_t j = 0; j < left; ++j)
        a[i][j] = h[static_cast<size_t>(order[i])][static_cast<size_t>(order[j])];
    }
    a[left - 1][left] = 1;  // the last of the order goes first
    for (size_t pivot = 0; pivot < left; ++pivot) {
      for (size_t i = 0; i < left; ++i) {
        if (i == pivot) continue;
        const double factor = a[i][pivot] / a[pivot][pivot];
        for (size_t j = pivot; j <= left; ++j)
          a[i][j] -= factor * a[pivot][j];
      }
    }
    const auto column = static_cast<size_t>(order[left - 1]);
    const double diagonal = a[left - 1][left] / a[left - 1][left - 1];
    for (size_t out = 0; out < kOut; ++out) {
      const double scale = static_cast<double>(problem.scales[out]);
      const double code = std::nearbyint(std::clamp(weight[out * kIn + column] / scale, -8.0, 7.0));
      codes[out * kIn + column] = static_cast<int8_t>(code);
      const double error = (weight[out * kIn + column] - code * scale) / diagonal;
      for (size_t i = 0; i + 1 < left; ++i)
        weight[out * kIn + static_cast<size_t>(order[i])] -= error * a[i][left] / a[i][i];
    }
  }
  return codes;
}

TEST_F(Gptq, IsTheTextbooksAlgorithm) {
  const Problem problem = make_problem(1);
  const ColumnOrder order = order_of(problem.x, kRows);
  const auto expected = textbook(problem, order.columns);
  const auto actual = codes_of(problem, order);
  int64_t different = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    different += expected[i] != actual[i] ? 1 : 0;
  // float32 against float64: a tie that falls the other way moves its row from there on.
  EXPECT_LE(different, kOut * kIn / 50);
  EXPECT_NEAR(output_error(problem, actual) / output_error(problem, expected), 1, 0.05);
}

TEST_F(Gptq, BeatsRoundingToNearest) {
  const Problem problem = make_problem(2);
  const double plain = output_error(problem, codes_of(problem, {}));
  const double calibrated = output_error(problem, codes_of(problem, order_of(problem.x, kRows)));
  EXPECT_LT(calibrated, plain / 3);
}

TEST_F(Gptq, WithoutAFactorItIsRoundingToNearest) {
  const Problem problem = make_problem(3);
  const auto codes = codes_of(problem, {});
  std::vector<int8_t> expected(kIn);
  std::vector<float> scale(1);
  for (size_t row = 0; row < kOut; ++row) {
    ASSERT_TRUE(quant::encode_row(std::span(problem.weight).subspan(row * kIn, kIn), 4, 0, DType::kF32, scale,
                                  expected));
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(), codes.begin() + static_cast<ptrdiff_t>(row * kIn)));
  }
}

TEST_F(Gptq, ColumnsThatNothingActivatesAreRoundedForThemselves) {
  Problem problem = make_problem(4);
  for (size_t i = 5; i < problem.x.size(); i += kIn)
    problem.x[i] = 0;
  const ColumnOrder order = order_of(problem.x, kRows);
  EXPECT_EQ(order.columns.front(), 5);
  const auto codes = codes_of(problem, order), plain = codes_of(problem, {});
  for (size_t row = 0; row < kOut; ++row)
    EXPECT_EQ(codes[row * kIn + 5], plain[row * kIn + 5]);
}

TEST_F(Gptq, InputsOfNothingOrNanHaveNoFactor) {
  EXPECT_TRUE(order_of(std::vector<float>(kRows * kIn), kRows).inverse_factor.empty());
  std::vector<float> bad = make_problem(5).x;
  bad[77] = NAN;
  EXPECT_TRUE(order_of(bad, kRows).inverse_factor.empty());
}

}  // namespace
}  // namespace tessera::compress
