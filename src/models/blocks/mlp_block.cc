#include "models/blocks/mlp_block.h"

#include <array>

#include "base/timeline.h"
#include "ops/kernel_note.h"
#include "ops/silu_rows.h"

namespace tessera::models {

void MlpBlock::forward(const MlpWeights& weights, MatrixView<const float> x, MatrixView<float> out,
                       ThreadPool& pool) {
  const Span span("mlp");
  const auto gate = gate_.matrix(x.rows, weights.gate.out());
  const auto up = up_.matrix(x.rows, weights.up.out());
  {
    const Span gate_up("gate_up", {"rows", x.rows}, ops::kernel_note(weights.gate));
    input_.reset(x);
    const std::array<ops::LinearCall, 2> wide{{{&weights.gate, gate}, {&weights.up, up}}};
    ops::run_linears(input_, wide, pool);
  }
  ops::silu_mul_rows(gate, up, pool);
  const Span down("down", {"rows", x.rows}, ops::kernel_note(weights.down));
  product_input_.reset(gate);
  const std::array<ops::LinearCall, 1> narrow{{{&weights.down, out}}};
  ops::run_linears(product_input_, narrow, pool);
}

}  // namespace tessera::models
