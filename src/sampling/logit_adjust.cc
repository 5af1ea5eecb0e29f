#include "sampling/logit_adjust.h"

#include <cmath>

#include "base/check.h"

namespace tessera::sampling {

void adjust_logits(const SamplingParams& params, const TokenCounts* counts,
                   std::span<const int32_t> forbidden, std::span<float> logits) {
  if (params.penalizes()) {
    CHECK(counts, "penalties without the tokens they are for");
    for (const auto& [id, count] : counts->counts()) {
      float& logit = logits[static_cast<size_t>(id)];
      logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
      if (count > 0) logit -= params.frequency_penalty * static_cast<float>(count) + params.presence_penalty;
    }
  }
  for (const auto& [id, bias] : params.logit_bias)
    logits[static_cast<size_t>(id)] += bias;
  for (const int32_t id : forbidden)
    logits[static_cast<size_t>(id)] = -INFINITY;
}

}  // namespace tessera::sampling
