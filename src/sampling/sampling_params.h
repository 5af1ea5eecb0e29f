// How a request's tokens are drawn. Defaults are SGLang's.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tessera::sampling {

struct SamplingParams {
  float temperature = 1.0F;           // < 1e-6: greedy
  float top_p = 1.0F;                 // (0, 1]
  int32_t top_k = -1;                 // -1 = all, else >= 1
  float min_p = 0.0F;                 // [0, 1]
  std::optional<uint64_t> seed = {};  // absent: drawn when the request is admitted

  // What changes the logits before they are drawn from (logit_adjust.h).
  float frequency_penalty = 0.0F;   // [-2, 2], times how often the answer has the token
  float presence_penalty = 0.0F;    // [-2, 2], if the answer has the token
  float repetition_penalty = 1.0F;  // (0, 2], if prompt or answer have the token
  int32_t min_new_tokens = 0;       // the answer does not end before at a stop token
  std::vector<std::pair<int32_t, float>> logit_bias = {};  // token, [-100, 100]

  bool greedy() const { return temperature < 1e-6F || top_k == 1; }
  /// Whether tokens that were there before matter.
  bool penalizes() const {
    return frequency_penalty != 0.0F || presence_penalty != 0.0F || repetition_penalty != 1.0F;
  }
};

/// kInvalidArgument naming field, value and range. The tokens of logit_bias are not looked at.
Status validate(const SamplingParams& params);

}  // namespace tessera::sampling
