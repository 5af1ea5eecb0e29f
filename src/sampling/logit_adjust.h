// What a request asks to be done to logits before a token is drawn: penalties for tokens that were there
// before, biases, and no stop token too early. The order is SGLang's: penalties, then biases, then stops.
//   repetition:  l > 0 ? l / r : l * r   where prompt or answer have the token (CTRL, Keskar et al. 2019)
//   frequency:   l - f * count           of the answer
//   presence:    l - p                   where count > 0
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "sampling/sampling_params.h"

namespace tessera::sampling {

/// The tokens of one request so far. One thread at a time.
class TokenCounts {
 public:
  void add_prompt(std::span<const int32_t> ids) {
    for (const int32_t id : ids)
      counts_.try_emplace(id, 0);
  }
  /// A token of the answer.
  void add(int32_t id) { ++counts_[id]; }

  /// Token -> how often the answer has it; 0: only the prompt has it.
  const std::unordered_map<int32_t, int32_t>& counts() const { return counts_; }

 private:
  std::unordered_map<int32_t, int32_t> counts_;
};

/// `counts` may be null when params.penalizes() is false. `forbidden` get -inf. Ids are in range.
void adjust_logits(const SamplingParams& params, const TokenCounts* counts,
                   std::span<const int32_t> forbidden, std::span<float> logits);

}  // namespace tessera::sampling
