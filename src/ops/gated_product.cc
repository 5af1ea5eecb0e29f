#include "ops/gated_product.h"

#include <algorithm>

#include "kernels/gemm_s8/pack_s8.h"
#include "kernels/silu_mul/silu_mul.h"
#include "ops/operand_rows.h"

namespace tessera::ops {

void GatedProduct::run(const GatedLinears& mlp, const Operand& gate_x, const Operand& up_x, const Tile& tile,
                       MatrixView<float> y) {
  const int64_t first_col = tile.panel_begin * kernels::kPanel;
  const int64_t cols = std::min(tile.panel_end * kernels::kPanel, y.cols) - first_col;
  const MatrixView<float> up = scratch_.rows(std::min(kScratchRows, tile.row_end - tile.row_begin), y.cols);
  for (int64_t row = tile.row_begin; row < tile.row_end; row += kScratchRows) {
    const int64_t count = std::min(kScratchRows, tile.row_end - row);
    const Tile part{.row_end = count, .panel_begin = tile.panel_begin, .panel_end = tile.panel_end};
    mlp.gate->weights().multiply(row_range(gate_x, row, count),
                                 {.bias = mlp.gate->bias(), .y = y.row(row), .y_stride = y.stride}, part);
    mlp.up->weights().multiply(row_range(up_x, row, count),
                               {.bias = mlp.up->bias(), .y = up.data, .y_stride = up.stride}, part);
    kernels::silu_mul({.gate = y.row(row) + first_col,
                       .gate_stride = y.stride,
                       .up = up.data + first_col,
                       .up_stride = up.stride,
                       .y = y.row(row) + first_col,
                       .y_stride = y.stride,
                       .rows = count,
                       .cols = cols});
  }
}

}  // namespace tessera::ops
