// Perplexity of a token sequence under a model: exp of the mean, over all predicted tokens, of
// -log p(token | tokens before it in its window). Windows of `context` tokens do not overlap (the last may be
// shorter); the first token of a window is not predicted. tests/golden/smollm2/perplexity.json has
// transformers' figures under this definition.
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

/// -log softmax(logits)[id], summed in double. `logits` [vocab], id inside.
double negative_log_probability(std::span<const float> logits, int32_t id);

/// kInvalidArgument when `context` is not 2 .. the model's, or `ids` has fewer than two tokens. Shows
/// progress.
Result<Perplexity> measure_perplexity(models::Model& model, std::span<const int32_t> ids, int32_t context);

}  // namespace tessera::eval
