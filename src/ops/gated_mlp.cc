#include "ops/gated_mlp.h"

#include <algorithm>
#include <array>

#include "kernels/gemm_s8/pack_s8.h"
#include "ops/parallel_lanes.h"

namespace tessera::ops {

void GatedMlp::forward(const GatedLinears& mlp, MatrixView<const float> x, MatrixView<float> out,
                       ThreadPool& pool) {
  const int64_t cols = mlp.gate->out();
  CHECK(mlp.gate->in() == x.cols && mlp.up->in() == x.cols && mlp.up->out() == cols,
        "gate [{}, {}], up [{}, {}] over {} columns", cols, mlp.gate->in(), mlp.up->out(), mlp.up->in(),
        x.cols);
  input_.reset(x);
  const Operand gate_x = mlp.gate->operand(input_, pool), up_x = mlp.up->operand(input_, pool);
  product_.reserve(static_cast<size_t>(x.rows * cols) * sizeof(float));
  const MatrixView<float> product(product_.as<float>(), x.rows, cols);
  while (lanes_.size() < lane_count(pool))
    lanes_.emplace_back();
  // As run_linears() does, of which this takes two at a time.
  const int64_t panels = kernels::panels(cols);
  const int64_t step = std::max<int64_t>(4, (panels / (int64_t{4} * pool.size()) + 3) / 4 * 4);
  parallel_lanes(pool, static_cast<size_t>((panels + step - 1) / step), [&](size_t lane, size_t task) {
    const int64_t begin = static_cast<int64_t>(task) * step;
    lanes_[lane].run(mlp, gate_x, up_x,
                     {.row_end = x.rows, .panel_begin = begin, .panel_end = std::min(begin + step, panels)},
                     product);
  });
  product_input_.reset(product);
  const std::array<LinearCall, 1> down{{{mlp.down, out}}};
  run_linears(product_input_, down, pool);
}

}  // namespace tessera::ops
