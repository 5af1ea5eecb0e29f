#include "models/blocks/mlp_block.h"

#include <array>

#include "kernels/silu_mul/silu_mul.h"
#include "ops/parallel_rows.h"

namespace tessera::models {

void MlpBlock::forward(const MlpWeights& weights, MatrixView<const float> x, MatrixView<float> out,
                       ThreadPool& pool) {
  const auto gate = gate_.matrix(x.rows, weights.gate.out());
  const auto up = up_.matrix(x.rows, weights.up.out());
  input_.reset(x);
  const std::array<ops::LinearCall, 2> wide{{{&weights.gate, gate}, {&weights.up, up}}};
  ops::run_linears(input_, wide, pool);
  ops::parallel_rows(pool, x.rows, gate.cols, [&](int64_t begin, int64_t end) {
    kernels::silu_mul({.gate = gate.row(begin),
                       .gate_stride = gate.stride,
                       .up = up.row(begin),
                       .up_stride = up.stride,
                       .y = gate.row(begin),
                       .y_stride = gate.stride,
                       .rows = end - begin,
                       .cols = gate.cols});
  });
  product_input_.reset(gate);
  const std::array<ops::LinearCall, 1> narrow{{{&weights.down, out}}};
  ops::run_linears(product_input_, narrow, pool);
}

}  // namespace tessera::models
