// Logarithms of probabilities, of the model's own distribution: before temperature, filters, penalties and
// biases. Pure.
//   logprob[t] = logit[t] - max - log(sum_i exp(logit[i] - max)),  the sum in double
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace tessera::sampling {

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;
};

/// What is asked of every position.
struct LogprobRequest {
  int32_t top = 0;                   // this many most likely tokens
  std::vector<int32_t> tokens = {};  // and these
};

/// What is told of one position.
struct Logprobs {
  TokenLogprob token;                // the one that stands there
  std::vector<TokenLogprob> top;     // descending, equal ones by id
  std::vector<TokenLogprob> chosen;  // of LogprobRequest::tokens, in that order
};

/// Of `token` as the continuation that `logits` are for. Errors as Sampler::sample.
Result<Logprobs> logprobs_of(std::span<const float> logits, int32_t token, const LogprobRequest& request);

}  // namespace tessera::sampling
