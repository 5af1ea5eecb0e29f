#include "ops/whole_row_mlp.h"

#include <algorithm>
#include <array>

#include "kernels/scatter_add/scatter_add.h"
#include "ops/silu_rows.h"

namespace tessera::ops {

bool WholeRowMlp::wanted(std::span<const GatedLinears> experts) {
  return std::ranges::any_of(experts, [](const GatedLinears& mlp) {
    return mlp.gate->output_transform() != nullptr || mlp.up->output_transform() != nullptr ||
           mlp.down->output_transform() != nullptr;
  });
}

void WholeRowMlp::forward(std::span<const GatedLinears> experts, const Visits& visits,
                          MatrixView<const float> x, MatrixView<float> out, ThreadPool& pool) {
  for (int64_t row = 0; row < out.rows; ++row)
    std::fill_n(out.row(row), out.cols, 0.0F);
  for (size_t expert = 0; expert < experts.size(); ++expert) {
    const auto visitors = visits.rows_of(static_cast<int64_t>(expert));
    if (visitors.empty()) continue;
    const GatedLinears& mlp = experts[expert];
    const auto count = static_cast<int64_t>(visitors.size());
    const MatrixView<float> rows = rows_.rows(count, x.cols);
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(x.row(visitors[static_cast<size_t>(i)]), x.cols, rows.row(i));
    const MatrixView<float> gate = gate_.rows(count, mlp.gate->out()), up = up_.rows(count, mlp.up->out());
    input_.reset(rows);
    const std::array<LinearCall, 2> wide{{{mlp.gate, gate}, {mlp.up, up}}};
    run_linears(input_, wide, pool);
    silu_mul_rows(gate, up, pool);
    product_input_.reset(gate);
    const MatrixView<float> result = result_.rows(count, out.cols);
    const std::array<LinearCall, 1> narrow{{{mlp.down, result}}};
    run_linears(product_input_, narrow, pool);
    kernels::scatter_add({.x = result.data,
                          .x_stride = result.stride,
                          .rows = visitors.data(),
                          .weights = visits.weights_of(static_cast<int64_t>(expert)).data(),
                          .count = count,
                          .cols = out.cols,
                          .y = out.data,
                          .y_stride = out.stride});
  }
}

}  // namespace tessera::ops
