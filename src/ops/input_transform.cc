#include "ops/input_transform.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {
namespace {

/// `square` [n, n] -> packed weights W with x W^T = x square.
Result<AlignedBuffer> pack_right_factor(const std::vector<float>& square, int64_t n) {
  const int64_t panel_floats = kernels::packed_f32_panel_floats(n);
  auto packed = TRY(AlignedBuffer::allocate_lasting(static_cast<size_t>(kernels::panels(n) * panel_floats) *
                                                    sizeof(float)));
  std::vector<float> transposed(square.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < n; ++k)
      transposed[static_cast<size_t>(i * n + k)] = square[static_cast<size_t>(k * n + i)];
  }
  for (int64_t panel = 0; panel < kernels::panels(n); ++panel) {
    const int64_t first = panel * kernels::kPanel;
    kernels::pack_f32_panel(transposed.data() + first * n, n, std::min(kernels::kPanel, n - first), n,
                            packed.as<float>() + panel * panel_floats);
  }
  return packed;
}

/// y [rows, n] = x [rows, n] square.
void times(const AlignedBuffer& square, int64_t n, const float* x, int64_t rows, float* y) {
  kernels::gemm_f32({.x = x,
                     .x_stride = n,
                     .w = square.as<float>(),
                     .n = n,
                     .k = n,
                     .y = y,
                     .y_stride = n,
                     .row_end = rows,
                     .panel_end = kernels::panels(n)});
}

/// y [columns, rows] = x [rows, columns]^T.
void transpose(const float* x, int64_t rows, int64_t columns, float* y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j)
      y[j * rows + i] = x[i * columns + j];
  }
}

Status check_order(const quant::ColumnOrder& order, int64_t in) {
  std::vector<bool> seen(static_cast<size_t>(in));
  bool fits = std::cmp_equal(order.from.size(), in);
  for (size_t k = 0; fits && k < order.from.size(); ++k) {
    const int32_t column = order.from[k];
    fits = column >= 0 && column < in && !seen[static_cast<size_t>(column)];
    if (fits) seen[static_cast<size_t>(column)] = true;
  }
  if (fits) return {};
  return invalid_argument("an order of {} columns, expected each of {} once", order.from.size(), in);
}

Status check_step(const quant::TransformStep& step, int64_t in) {
  if (const auto* order = std::get_if<quant::ColumnOrder>(&step)) return check_order(*order, in);
  if (const auto* factors = std::get_if<quant::ColumnFactors>(&step)) {
    if (std::cmp_equal(factors->factors.size(), in)) return {};
    return invalid_argument("{} factors of the input, expected {}", factors->factors.size(), in);
  }
  const auto& pair = std::get<quant::KroneckerPair>(step);
  const bool fits = pair.rows > 0 && pair.columns > 0 && pair.rows * pair.columns == in &&
                    std::cmp_equal(pair.left.size(), pair.rows * pair.rows) &&
                    std::cmp_equal(pair.right.size(), pair.columns * pair.columns);
  if (fits) return {};
  return invalid_argument(
      "a Kronecker pair of {} and {} numbers for [{}, {}], expected squares for {} columns", pair.left.size(),
      pair.right.size(), pair.rows, pair.columns, in);
}

}  // namespace

Result<InputTransform::PackedPair> InputTransform::pack(const quant::KroneckerPair& pair) {
  PackedPair packed{.rows = pair.rows, .columns = pair.columns, .left = {}, .right = {}};
  packed.left = TRY(pack_right_factor(pair.left, pair.rows));
  packed.right = TRY(pack_right_factor(pair.right, pair.columns));
  return packed;
}

Result<std::unique_ptr<const InputTransform>> InputTransform::make(quant::InputTransform steps, int64_t in) {
  auto transform = std::make_unique<InputTransform>();
  for (const quant::TransformStep& step : steps) {
    TRY_STATUS(check_step(step, in));
    if (const auto* pair = std::get_if<quant::KroneckerPair>(&step))
      transform->pairs_.push_back(TRY(pack(*pair)));
  }
  transform->steps_ = std::move(steps);
  return std::unique_ptr<const InputTransform>(std::move(transform));
}

int64_t InputTransform::bytes() const {
  size_t bytes = 0;
  for (const quant::TransformStep& step : steps_) {
    if (const auto* factors = std::get_if<quant::ColumnFactors>(&step))
      bytes += factors->factors.size() * sizeof(float);
    if (const auto* order = std::get_if<quant::ColumnOrder>(&step))
      bytes += order->from.size() * sizeof(int32_t);
  }
  // The steps keep a pair's numbers beside the packed ones, to be compared by.
  for (const PackedPair& pair : pairs_)
    bytes += 2 * (pair.left.size() + pair.right.size());
  return static_cast<int64_t>(bytes);
}

/// y = left^T (x right), as the operator does it: x right first. Both products run with their sums along
/// rows, so the second one works on the transpose: (left^T t)^T = t^T left.
void InputTransform::multiply(const PackedPair& pair, const float* x, float* y, float* scratch) {
  times(pair.right, pair.columns, x, pair.rows, y);
  transpose(y, pair.rows, pair.columns, scratch);
  times(pair.left, pair.rows, scratch, pair.columns, y);
  std::memcpy(scratch, y, static_cast<size_t>(pair.rows * pair.columns) * sizeof(float));
  transpose(scratch, pair.columns, pair.rows, y);
}

void InputTransform::apply_row(const float* x, float* y, float* scratch, int64_t in) const {
  const float* from = x;
  size_t pair = 0;
  for (const quant::TransformStep& step : steps_) {
    if (const auto* factors = std::get_if<quant::ColumnFactors>(&step)) {
      for (int64_t k = 0; k < in; ++k)
        y[k] = from[k] * factors->factors[static_cast<size_t>(k)];
    } else {
      if (from == y) {  // what follows reads and writes
        std::memcpy(scratch + in, y, static_cast<size_t>(in) * sizeof(float));
        from = scratch + in;
      }
      if (const auto* order = std::get_if<quant::ColumnOrder>(&step)) {
        for (int64_t k = 0; k < in; ++k)
          y[k] = from[order->from[static_cast<size_t>(k)]];
      } else {
        multiply(pairs_[pair++], from, y, scratch);
      }
    }
    from = y;
  }
}

void InputTransform::apply(MatrixView<const float> x, MatrixView<float> y, ThreadPool& pool) const {
  CHECK(x.rows == y.rows && x.cols == y.cols, "[{}, {}] into [{}, {}]", x.rows, x.cols, y.rows, y.cols);
  parallel_rows(pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
    const bool simple = pairs_.empty() && steps_.size() == 1;
    std::vector<float> scratch(simple ? 0 : 2 * static_cast<size_t>(x.cols));
    for (int64_t row = begin; row < end; ++row)
      apply_row(x.row(row), y.row(row), scratch.data(), x.cols);
  });
}

}  // namespace tessera::ops
