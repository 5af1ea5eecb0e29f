// GatedMlp: down(silu(gate(x)) * up(x)) over all rows, gate, up and SiLU in one parallel region: no barrier
// and no pass over memory between them. Owns workspaces that grow and are reused; one caller at a time.
#pragma once

#include <deque>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "ops/gated_product.h"
#include "ops/linear_input.h"

namespace tessera::ops {

class GatedMlp {
 public:
  /// x [rows, hidden] -> out [rows, hidden]; out is not x.
  void forward(const GatedLinears& mlp, MatrixView<const float> x, MatrixView<float> out, ThreadPool& pool);

 private:
  LinearInput input_, product_input_;
  AlignedBuffer product_;
  std::deque<GatedProduct> lanes_;
};

}  // namespace tessera::ops
