// WholeRowMlp: the MLPs of a mixture of experts, one expert after the other, each with all workers. For
// experts whose outputs are transformed: that needs whole rows, which GroupedMlp's tasks do not have. Owns
// workspaces that grow and are reused; one caller at a time.
#pragma once

#include <span>

#include "base/thread_pool.h"
#include "ops/gated_product.h"
#include "ops/linear_input.h"
#include "ops/moe_route.h"
#include "ops/scratch_rows.h"

namespace tessera::ops {

class WholeRowMlp {
 public:
  /// Whether any linear of these experts needs it.
  static bool wanted(std::span<const GatedLinears> experts);

  /// As GroupedMlp::forward().
  void forward(std::span<const GatedLinears> experts, const Visits& visits, MatrixView<const float> x,
               MatrixView<float> out, ThreadPool& pool);

 private:
  LinearInput input_, product_input_;
  ScratchRows rows_, gate_, up_, result_;
};

}  // namespace tessera::ops
