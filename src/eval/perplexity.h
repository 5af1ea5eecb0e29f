// Perplexity of a token sequence under a model: exp of the mean, over all predicted tokens, of
// -log p(token | tokens before it in its window). windows.h says which tokens those are;
// tests/golden/smollm2/perplexity.json has transformers' figures under this definition.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "models/model.h"

namespace tessera::eval {

struct Perplexity {
  double perplexity = 0;
  double mean_nll = 0;  // natural logarithm
  int64_t tokens = 0;   // predicted
  double seconds = 0;
};

/// log of the sum of exp(logits), summed in double: log softmax(logits)[id] is logits[id] minus this.
double log_sum_exp(std::span<const float> logits);

/// -log softmax(logits)[id]. `logits` [vocab], id inside.
double negative_log_probability(std::span<const float> logits, int32_t id);

/// Errors as plan_parts(). Shows progress.
Result<Perplexity> measure_perplexity(models::Model& model, std::span<const int32_t> ids, int32_t context,
                                      int32_t stride);

}  // namespace tessera::eval
