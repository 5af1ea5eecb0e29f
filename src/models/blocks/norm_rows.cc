#include "models/blocks/norm_rows.h"

#include "kernels/rmsnorm/rmsnorm.h"
#include "ops/parallel_rows.h"

namespace tessera::models {
namespace {

/// Rows [begin, end) of y += the norm's bias.
void add_bias(const NormWeights& weights, MatrixView<float> y, int64_t begin, int64_t end) {
  if (weights.bias.empty()) return;
  for (int64_t row = begin; row < end; ++row) {
    float* values = y.row(row);
    for (int64_t column = 0; column < y.cols; ++column)
      values[column] += weights.bias[static_cast<size_t>(column)];
  }
}

}  // namespace

void norm_rows(MatrixView<const float> x, const NormWeights& weights, float eps, MatrixView<float> y,
               ThreadPool& pool) {
  ops::parallel_rows(pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
    kernels::rmsnorm({.x = x.row(begin),
                      .x_stride = x.stride,
                      .w = weights.weight.data(),
                      .eps = eps,
                      .y = y.row(begin),
                      .y_stride = y.stride,
                      .rows = end - begin,
                      .cols = x.cols});
    add_bias(weights, y, begin, end);
  });
}

void add_norm_rows(MatrixView<float> hidden, MatrixView<const float> delta, const NormWeights& weights,
                   float eps, MatrixView<float> y, ThreadPool& pool) {
  ops::parallel_rows(pool, hidden.rows, hidden.cols, [&](int64_t begin, int64_t end) {
    kernels::add_rmsnorm({.h = hidden.row(begin),
                          .h_stride = hidden.stride,
                          .delta = delta.row(begin),
                          .delta_stride = delta.stride,
                          .w = weights.weight.data(),
                          .eps = eps,
                          .y = y.row(begin),
                          .y_stride = y.stride,
                          .rows = end - begin,
                          .cols = hidden.cols});
    add_bias(weights, y, begin, end);
  });
}

}  // namespace tessera::models
