// MlpBlock: down(silu(gate(x)) * up(x)).
#pragma once

#include "base/thread_pool.h"
#include "models/decoder_weights.h"
#include "ops/gated_mlp.h"

namespace tessera::models {

class MlpBlock {
 public:
  /// x [rows, hidden] -> out [rows, hidden]; out is not x.
  void forward(const MlpWeights& weights, MatrixView<const float> x, MatrixView<float> out, ThreadPool& pool);

 private:
  ops::GatedMlp mlp_;
};

}  // namespace tessera::models
