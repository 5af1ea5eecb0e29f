#include "compress/gptq/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

constexpr int64_t kBlock =
    128;  // columns rounded before all others are told: the rest of the work is one product
constexpr int64_t kRowsPerTask = 8;

/// One linear under way. Columns stand in the order of ColumnOrder.
class Rounding {
 public:
  Rounding(std::span<float> weight, int64_t out, int64_t in, const quant::WeightScheme& scheme,
           std::span<const float> scales, const ColumnOrder& order)
      : weight_(weight), out_(out), in_(in), scales_(scales), order_(order) {
    low_ = static_cast<float>(quant::code_min(scheme.bits));
    high_ = static_cast<float>(quant::code_max(scheme.bits));
    group_size_ = scheme.group_size == 0 ? in : scheme.group_size;
    codes_.resize(static_cast<size_t>(out * in));
    errors_.resize(static_cast<size_t>(out * kBlock));
  }

  std::vector<int8_t> run_plainly(ThreadPool& pool) {
    for_rows(pool, [this](int64_t row, std::vector<float>&) {
      for (int64_t column = 0; column < in_; ++column)
        code_of(row, column, weight_[static_cast<size_t>(row * in_ + column)]);
    });
    return std::move(codes_);
  }

  std::vector<int8_t> run(const DenseAlgebra& algebra, ThreadPool& pool) {
    for_rows(pool, [this](int64_t row, std::vector<float>& scratch) { permute(row, scratch); });
    for (int64_t end = in_; end > 0; end -= kBlock) {
      const int64_t begin = std::max<int64_t>(0, end - kBlock);
      for_rows(pool, [&](int64_t row, std::vector<float>&) { round_block(row, begin, end); });
      algebra.subtract_product(errors_.data(), kBlock, factor_row(begin), in_, weight_.data(), in_, out_,
                               begin, end - begin);
    }
    return std::move(codes_);
  }

 private:
  template <class Body>
  void for_rows(ThreadPool& pool, const Body& body) {
    pool.parallel_for(static_cast<size_t>((out_ + kRowsPerTask - 1) / kRowsPerTask), [&](size_t task) {
      std::vector<float> scratch;
      const auto first = static_cast<int64_t>(task) * kRowsPerTask;
      for (int64_t row = first; row < std::min(first + kRowsPerTask, out_); ++row)
        body(row, scratch);
    });
  }

  const float* factor_row(int64_t column) const { return order_.inverse_factor.data() + column * in_; }

  void permute(int64_t row, std::vector<float>& scratch) {
    float* const values = weight_.data() + row * in_;
    scratch.assign(values, values + in_);
    for (int64_t i = 0; i < in_; ++i)
      values[i] = scratch[static_cast<size_t>(order_.columns[static_cast<size_t>(i)])];
  }

  /// Stores the code of `value` and returns what it stands for.
  float code_of(int64_t row, int64_t column, float value) {
    const float scale = scales_[static_cast<size_t>(row * (in_ / group_size_) + column / group_size_)];
    const float code = std::nearbyint(std::clamp(value / scale, low_, high_));
    codes_[static_cast<size_t>(row * in_ + column)] = static_cast<int8_t>(code);
    return code * scale;
  }

  /// Columns [begin, end) of a row, the last first.
  void round_block(int64_t row, int64_t begin, int64_t end) {
    float* const values = weight_.data() + row * in_;
    float* const errors = errors_.data() + row * kBlock;
    for (int64_t i = end - 1; i >= begin; --i) {
      const float* const factor = factor_row(i);
      const float rounded = code_of(row, order_.columns[static_cast<size_t>(i)], values[i]);
      const float error = (values[i] - rounded) / factor[i];
      errors[i - begin] = error;
      for (int64_t j = begin; j < i; ++j)
        values[j] -= error * factor[j];
    }
  }

  std::span<float> weight_;
  int64_t out_, in_, group_size_ = 0;
  std::span<const float> scales_;
  const ColumnOrder& order_;
  float low_ = 0, high_ = 0;
  std::vector<int8_t> codes_;
  std::vector<float> errors_;  // [out, kBlock] of the block under way
};

}  // namespace

void Hessian::add(const float* x, int64_t rows, const DenseAlgebra& algebra) {
  algebra.add_gram(x, rows, size_, sums_.data());
  rows_ += rows;
}

ColumnOrder order_columns(const Hessian& hessian, double damping, const DenseAlgebra& algebra) {
  const auto n = static_cast<size_t>(hessian.size());
  const float* const sums = hessian.lower();
  const auto at = [&](size_t i, size_t j) {
    return static_cast<double>(i >= j ? sums[i * n + j] : sums[j * n + i]);
  };
  double mean = 0;
  for (size_t i = 0; i < n; ++i)
    mean += at(i, i) / static_cast<double>(n);
  ColumnOrder order;
  order.columns.resize(n);
  std::iota(order.columns.begin(), order.columns.end(), 0);
  std::ranges::stable_sort(order.columns, {},
                           [&](int32_t i) { return at(static_cast<size_t>(i), static_cast<size_t>(i)); });
  std::vector<double> matrix(n * n);
  for (size_t i = 0; i < n; ++i) {
    const auto row = static_cast<size_t>(order.columns[i]);
    for (size_t j = 0; j < i; ++j)
      matrix[i * n + j] = at(row, static_cast<size_t>(order.columns[j]));
    const double diagonal = at(row, row);
    matrix[i * n + i] = diagonal == 0 ? std::max(mean, 1e-30) : diagonal + damping * mean;
  }
  if (mean == 0 || !std::isfinite(mean) || !algebra.inverse_cholesky(matrix, hessian.size())) return order;
  order.inverse_factor.resize(n * n);
  std::ranges::transform(matrix, order.inverse_factor.begin(),
                         [](double value) { return static_cast<float>(value); });
  return order;
}

std::vector<int8_t> gptq_codes(std::span<float> weight, int64_t out, int64_t in,
                               const quant::WeightScheme& scheme, std::span<const float> scales,
                               const ColumnOrder& order, const DenseAlgebra& algebra, ThreadPool& pool) {
  const std::vector<float>& factor = order.inverse_factor;
  CHECK(static_cast<int64_t>(weight.size()) == out * in &&
            (factor.empty() || static_cast<int64_t>(factor.size()) == in * in),
        "[{}, {}], {} values, a factor of {}", out, in, weight.size(), factor.size());
  Rounding rounding(weight, out, in, scheme, scales, order);
  return factor.empty() ? rounding.run_plainly(pool) : rounding.run(algebra, pool);
}

}  // namespace tessera::compress
