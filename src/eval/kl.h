// How far a model's predictions are from a reference's, token by token of a text: the Kullback-Leibler
// divergence KL(reference || model) = sum over the vocabulary of p_ref (log p_ref - log p_model), in nats,
// and whether both find the same token likeliest. Both models read the same windows (windows.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"

namespace tessera::eval {

struct TokenDivergence {
  size_t position = 0;  // in the text, of the predicted token
  double kl = 0;
  bool same_top = false;
};

struct Divergence {
  double mean_kl = 0;
  double p99_kl = 0;          // 99 % of the tokens have at most this
  double top1_agreement = 0;  // share of the tokens
  double seconds = 0;
  std::vector<TokenDivergence> tokens;  // in the text's order
};

/// Of one row; never below 0. Both [vocab].
double kl_divergence(std::span<const float> reference, std::span<const float> logits);

/// kInvalidArgument when the vocabularies differ, else errors as plan_parts() of either model. Shows
/// progress.
Result<Divergence> measure_kl(models::Model& model, models::Model& reference, std::span<const int32_t> ids,
                              int32_t context, int32_t stride);

/// A line per token: its position in the text, its id, KL, and 1 when both models' likeliest tokens are the
/// same; columns are parted by tabs and named in the first line.
std::string per_token_table(const Divergence& divergence, std::span<const int32_t> ids);

}  // namespace tessera::eval
