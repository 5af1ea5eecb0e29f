// MoeBlock: a router sends every row to its top experts; rows of one expert are gathered and run as one small
// batch.
#pragma once

#include <vector>

#include "models/blocks/mlp_block.h"

namespace tessera::models {

/// One row's visit to one expert.
struct Visit {
  int64_t row;
  float weight;
};

/// Softmax over all experts in float32, the top k (the lowest index wins ties), scaled to sum to 1 if asked.
/// logits [rows, experts] -> visits by expert, rows ascending.
std::vector<std::vector<Visit>> route(const MoeConfig& moe, MatrixView<const float> logits);

class MoeBlock {
 public:
  /// x [rows, hidden] -> out [rows, hidden]; out is not x. A row adds its experts in the order of their
  /// index, so its result does not depend on the other rows.
  void forward(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
               MatrixView<float> out, ThreadPool& pool);

 private:
  ops::LinearInput input_;
  Workspace logits_, gathered_, result_;
  MlpBlock expert_;
};

}  // namespace tessera::models
