#include "ops/input_transform.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "kernels/hadamard/hadamard.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {
namespace {

static_assert(quant::kMaxHadamardBase <= kernels::kMaxHadamardBase);

/// Rows that take a step together: a matrix of thousands of columns is read once for all of them.
constexpr int64_t kRowsAtATime = 16;

/// `square` [n, n] -> packed weights W with x W^T = x square.
Result<AlignedBuffer> pack_right_factor(const std::vector<float>& square, int64_t n) {
  const int64_t panel_floats = kernels::packed_f32_panel_floats(n);
  auto packed = TRY(AlignedBuffer::allocate_lasting(static_cast<size_t>(kernels::panels(n) * panel_floats) *
                                                    sizeof(float)));
  for (int64_t panel = 0; panel < kernels::panels(n); ++panel) {
    const int64_t first = panel * kernels::kPanel, columns = std::min(kernels::kPanel, n - first);
    float* to = packed.as<float>() + panel * panel_floats;
    for (int64_t k = 0; k < n; ++k, to += kernels::kPanel) {
      std::copy_n(square.data() + k * n + first, columns, to);
      std::fill(to + columns, to + kernels::kPanel, 0.0F);
    }
  }
  return packed;
}

/// y = x square; both of n columns.
void times(const AlignedBuffer& square, MatrixView<const float> x, MatrixView<float> y) {
  kernels::gemm_f32({.x = x.data,
                     .x_stride = x.stride,
                     .w = square.as<float>(),
                     .n = x.cols,
                     .k = x.cols,
                     .y = y.data,
                     .y_stride = y.stride,
                     .row_end = x.rows,
                     .panel_end = kernels::panels(x.cols)});
}

/// y [columns, rows] = x [rows, columns]^T.
void transpose(const float* x, int64_t rows, int64_t columns, float* y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j)
      y[j * rows + i] = x[i * columns + j];
  }
}

/// y = left^T (x right), as the operator does it: x right first. Both products run with their sums along
/// rows, so the second one works on the transpose: (left^T t)^T = t^T left. `scratch`: as long as x.
void multiply_pair(const quant::KroneckerPair& pair, const AlignedBuffer& left, const AlignedBuffer& right,
                   const float* x, float* y, float* scratch) {
  times(right, {x, pair.rows, pair.columns}, {y, pair.rows, pair.columns});
  transpose(y, pair.rows, pair.columns, scratch);
  times(left, {scratch, pair.columns, pair.rows}, {y, pair.columns, pair.rows});
  std::memcpy(scratch, y, static_cast<size_t>(pair.rows * pair.columns) * sizeof(float));
  transpose(scratch, pair.columns, pair.rows, y);
}

Status check_fit(const quant::ColumnOrder& order, int64_t in) {
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

Status check_fit(const quant::ColumnFactors& factors, int64_t in) {
  if (std::cmp_equal(factors.factors.size(), in)) return {};
  return invalid_argument("{} factors of the input, expected {}", factors.factors.size(), in);
}

Status check_fit(const quant::KroneckerPair& pair, int64_t in) {
  const bool fits = pair.rows > 0 && pair.columns > 0 && pair.rows * pair.columns == in &&
                    std::cmp_equal(pair.left.size(), pair.rows * pair.rows) &&
                    std::cmp_equal(pair.right.size(), pair.columns * pair.columns);
  if (fits) return {};
  return invalid_argument(
      "a Kronecker pair of {} and {} numbers for [{}, {}], expected squares for {} columns", pair.left.size(),
      pair.right.size(), pair.rows, pair.columns, in);
}

Status check_fit(const quant::BlockHadamard& hadamard, int64_t in) {
  const int64_t base = hadamard.base;
  const bool known_base = base == 1 || (base > 0 && base <= quant::kMaxHadamardBase && base % 4 == 0);
  const size_t signs = base == 1 ? 0 : static_cast<size_t>(base * base);
  const bool fits = known_base && hadamard.size > 0 && hadamard.size % base == 0 &&
                    std::has_single_bit(static_cast<uint64_t>(hadamard.size / base)) &&
                    in % hadamard.size == 0 && hadamard.signs.size() == signs;
  if (fits) return {};
  return invalid_argument(
      "a Hadamard transform of blocks of {} on a base of {}, expected a power of two times 1 or a multiple "
      "of "
      "4 up to {}, and blocks that divide {} columns",
      hadamard.size, base, quant::kMaxHadamardBase, in);
}

Status check_fit(const quant::BlockMatrix& block, int64_t in) {
  const quant::SquareMatrix& matrix = *block.matrix;
  if (matrix.size > 0 && in % matrix.size == 0 &&
      std::cmp_equal(matrix.values.size(), matrix.size * matrix.size))
    return {};
  return invalid_argument("a matrix of {} numbers for blocks of {}, expected a square for {} columns",
                          matrix.values.size(), matrix.size, in);
}

void apply_to(const quant::ColumnFactors& step, MatrixView<const float> x, MatrixView<float> y) {
  for (int64_t row = 0; row < x.rows; ++row) {
    for (int64_t k = 0; k < x.cols; ++k)
      y.row(row)[k] = x.row(row)[k] * step.factors[static_cast<size_t>(k)];
  }
}

void apply_to(const quant::ColumnOrder& step, MatrixView<const float> x, MatrixView<float> y) {
  for (int64_t row = 0; row < x.rows; ++row) {
    for (int64_t k = 0; k < x.cols; ++k)
      y.row(row)[k] = x.row(row)[step.from[static_cast<size_t>(k)]];
  }
}

void copy_rows(MatrixView<const float> x, MatrixView<float> y) {
  for (int64_t row = 0; row < x.rows; ++row)
    std::copy_n(x.row(row), x.cols, y.row(row));
}

void apply_to(const quant::BlockHadamard& step, MatrixView<const float> x, MatrixView<float> y) {
  if (x.data != y.data) copy_rows(x, y);
  kernels::hadamard({.x = y.data,
                     .x_stride = y.stride,
                     .rows = y.rows,
                     .k = y.cols,
                     .block = step.size,
                     .base = step.base,
                     .signs = step.signs.data(),
                     .transposed = step.transposed});
}

/// Blocks narrower than a row are rows of their own: [cols / size, size].
void multiply_blocks(const AlignedBuffer& matrix, int64_t size, MatrixView<const float> x,
                     MatrixView<float> y) {
  if (size == x.cols) return times(matrix, x, y);
  for (int64_t row = 0; row < x.rows; ++row)
    times(matrix, {x.row(row), x.cols / size, size}, {y.row(row), x.cols / size, size});
}

/// Whether a step may read and write the same rows.
bool works_in_place(const quant::TransformStep& step) {
  return std::holds_alternative<quant::ColumnFactors>(step) ||
         std::holds_alternative<quant::BlockHadamard>(step);
}

}  // namespace

Result<std::shared_ptr<const AlignedBuffer>> SharedMatrices::packed(
    const std::shared_ptr<const quant::SquareMatrix>& matrix) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<const AlignedBuffer>& packed = packed_[matrix];
  if (packed == nullptr)
    packed = std::make_shared<const AlignedBuffer>(TRY(pack_right_factor(matrix->values, matrix->size)));
  return packed;
}

int64_t SharedMatrices::bytes() const {
  const std::scoped_lock lock(mutex_);
  size_t bytes = 0;
  for (const auto& [matrix, packed] : packed_)
    bytes += matrix->values.size() * sizeof(float) + packed->size();
  return static_cast<int64_t>(bytes);
}

Result<InputTransform::Packed> InputTransform::pack(const quant::TransformStep& step,
                                                    SharedMatrices* shared) {
  if (const auto* pair = std::get_if<quant::KroneckerPair>(&step)) {
    PackedPair packed;
    packed.left = TRY(pack_right_factor(pair->left, pair->rows));
    packed.right = TRY(pack_right_factor(pair->right, pair->columns));
    return Packed(std::move(packed));
  }
  if (const auto* block = std::get_if<quant::BlockMatrix>(&step)) {
    SharedMatrices alone;
    return Packed(TRY((shared == nullptr ? alone : *shared).packed(block->matrix)));
  }
  return Packed();
}

Result<std::unique_ptr<const InputTransform>> InputTransform::make(quant::InputTransform steps, int64_t in,
                                                                   SharedMatrices* shared) {
  auto transform = std::make_unique<InputTransform>();
  for (const quant::TransformStep& step : steps) {
    TRY_STATUS(std::visit([&](const auto& known) { return check_fit(known, in); }, step));
    transform->packed_.push_back(TRY(pack(step, shared)));
  }
  transform->steps_ = std::move(steps);
  return std::unique_ptr<const InputTransform>(std::move(transform));
}

int64_t InputTransform::bytes() const {
  size_t bytes = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (const auto* factors = std::get_if<quant::ColumnFactors>(&steps_[i]))
      bytes += factors->factors.size() * sizeof(float);
    if (const auto* order = std::get_if<quant::ColumnOrder>(&steps_[i]))
      bytes += order->from.size() * sizeof(int32_t);
    if (const auto* hadamard = std::get_if<quant::BlockHadamard>(&steps_[i]))
      bytes += hadamard->signs.size() * sizeof(float);
    // The steps keep a pair's numbers beside the packed ones, to be compared by.
    if (const auto* pair = std::get_if<PackedPair>(&packed_[i]))
      bytes += 2 * (pair->left.size() + pair->right.size());
  }
  return static_cast<int64_t>(bytes);
}

void InputTransform::apply_step(const quant::TransformStep& step, const Packed& packed,
                                MatrixView<const float> x, MatrixView<float> y, float* scratch) {
  if (const auto* factors = std::get_if<quant::ColumnFactors>(&step)) return apply_to(*factors, x, y);
  if (const auto* order = std::get_if<quant::ColumnOrder>(&step)) return apply_to(*order, x, y);
  if (const auto* hadamard = std::get_if<quant::BlockHadamard>(&step)) return apply_to(*hadamard, x, y);
  if (const auto* block = std::get_if<quant::BlockMatrix>(&step)) {
    const auto& matrix = *std::get<std::shared_ptr<const AlignedBuffer>>(packed);
    return multiply_blocks(matrix, block->matrix->size, x, y);
  }
  const auto& [left, right] = std::get<PackedPair>(packed);
  for (int64_t row = 0; row < x.rows; ++row)
    multiply_pair(std::get<quant::KroneckerPair>(step), left, right, x.row(row), y.row(row), scratch);
}

/// `scratch`: [rows + 1, cols].
void InputTransform::apply_rows(MatrixView<const float> x, MatrixView<float> y, float* scratch) const {
  MatrixView<const float> from = x;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (from.data == y.data && !works_in_place(steps_[i])) {
      const MatrixView<float> copy{scratch + x.cols, x.rows, x.cols};
      copy_rows(from, copy);
      from = copy;
    }
    apply_step(steps_[i], packed_[i], from, y, scratch);
    from = y;
  }
}

void InputTransform::apply(MatrixView<const float> x, MatrixView<float> y, ThreadPool& pool) const {
  CHECK(x.rows == y.rows && x.cols == y.cols, "[{}, {}] into [{}, {}]", x.rows, x.cols, y.rows, y.cols);
  parallel_rows(pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>((std::min(kRowsAtATime, end - begin) + 1) * x.cols));
    for (int64_t row = begin; row < end; row += kRowsAtATime) {
      const int64_t rows = std::min(kRowsAtATime, end - row);
      apply_rows(x.row_range(row, rows), y.row_range(row, rows), scratch.data());
    }
  });
}

void InputTransform::apply_in_place(MatrixView<float> rows) const {
  std::vector<float> scratch(static_cast<size_t>((std::min(kRowsAtATime, rows.rows) + 1) * rows.cols));
  for (int64_t row = 0; row < rows.rows; row += kRowsAtATime) {
    const MatrixView<float> some = rows.row_range(row, std::min(kRowsAtATime, rows.rows - row));
    apply_rows(some, some, scratch.data());
  }
}

}  // namespace tessera::ops
