#include "models/blocks/moe_block.h"

#include <array>

#include "base/timeline.h"
#include "ops/kernel_note.h"

namespace tessera::models {

const ops::Visits& MoeBlock::route(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
                                   ThreadPool& pool) {
  const Span span("route", {"rows", x.rows}, ops::kernel_note(weights.router));
  const auto logits = logits_.matrix(x.rows, moe.experts);
  input_.reset(x);
  const std::array<ops::LinearCall, 1> router{{{&weights.router, logits}}};
  ops::run_linears(input_, router, pool);
  return router_.route(logits, {.chosen_per_row = moe.experts_per_token, .normalize = moe.normalize_weights},
                       pool);
}

void MoeBlock::forward(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
                       MatrixView<float> out, ThreadPool& pool) {
  const Span span("experts");
  const ops::Visits& visits = route(moe, weights, x, pool);
  experts_.clear();
  for (const MlpWeights& expert : weights.experts)
    experts_.push_back({&expert.gate, &expert.up, &expert.down});
  mlp_.forward(experts_, visits, x, out, pool);
}

}  // namespace tessera::models
