// AttentionBlock: projections, head norms, rotation, cache, attention, output projection.
#pragma once

#include "models/blocks/paged_attention.h"
#include "models/blocks/step.h"
#include "models/blocks/workspace.h"
#include "models/decoder_weights.h"
#include "ops/linear_input.h"

namespace tessera::models {

class AttentionBlock {
 public:
  /// x [rows, hidden], normed -> out [rows, hidden]. Keys and values of the rows go to `layer` of the cache.
  void forward(const Step& step, int32_t layer, const AttentionWeights& weights, MatrixView<const float> x,
               MatrixView<float> out);

 private:
  ops::LinearInput input_, heads_input_;
  Workspace q_, k_, v_, heads_;
  PagedAttention attention_;
};

}  // namespace tessera::models
