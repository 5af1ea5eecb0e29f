// MlpBlock: down(silu(gate(x)) * up(x)).
#pragma once

#include "base/thread_pool.h"
#include "models/blocks/workspace.h"
#include "models/decoder_weights.h"
#include "ops/linear_input.h"

namespace tessera::models {

class MlpBlock {
 public:
  /// x [rows, hidden] -> out [rows, hidden]; out is not x.
  void forward(const MlpWeights& weights, MatrixView<const float> x, MatrixView<float> out, ThreadPool& pool);

 private:
  ops::LinearInput input_, product_input_;
  Workspace gate_, up_;
};

}  // namespace tessera::models
