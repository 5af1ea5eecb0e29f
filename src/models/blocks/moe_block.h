// MoeBlock: a router sends every row to its top experts; the rows of one expert run as one small batch.
//
// Parallel regions of a step: the router's linear, the routing and the codes of the rows (each of these on
// the caller alone when there are few rows), then the two of ops::GroupedMlp.
#pragma once

#include <vector>

#include "models/blocks/workspace.h"
#include "models/decoder_weights.h"
#include "ops/grouped_mlp.h"
#include "ops/moe_route.h"

namespace tessera::models {

class MoeBlock {
 public:
  /// x [rows, hidden] -> out [rows, hidden]; out is not x. A row adds its experts in the order of their
  /// index, so its result does not depend on the other rows.
  void forward(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
               MatrixView<float> out, ThreadPool& pool);

 private:
  const ops::Visits& route(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
                           ThreadPool& pool);

  ops::LinearInput input_;
  Workspace logits_;
  ops::MoeRouter router_;
  std::vector<ops::GatedLinears> experts_;
  ops::GroupedMlp mlp_;
};

}  // namespace tessera::models
