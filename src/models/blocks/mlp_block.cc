#include "models/blocks/mlp_block.h"

namespace tessera::models {

void MlpBlock::forward(const MlpWeights& weights, MatrixView<const float> x, MatrixView<float> out,
                       ThreadPool& pool) {
  mlp_.forward({&weights.gate, &weights.up, &weights.down}, x, out, pool);
}

}  // namespace tessera::models
