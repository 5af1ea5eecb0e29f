// Several models on the same text and questions: bytes, perplexity, divergence from the first, GSM8K, speed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/gsm8k.h"
#include "eval/speed.h"
#include "models/model.h"

namespace tessera::eval {

struct ComparedModel {
  std::string name;
  models::LoadOptions load;
};

struct CompareOptions {
  std::vector<ComparedModel> models;  // the first is the reference
  int32_t context = 1024, stride = 1024;
  std::optional<Gsm8kOptions> gsm8k;
  SpeedOptions speed;
};

struct ComparedRow {
  std::string name, scheme, layout;
  int64_t bytes = 0;  // of all weights, in memory
  double perplexity = 0;
  std::optional<double> mean_kl, p99_kl, top1_agreement;  // absent for the reference
  std::optional<double> accuracy, invalid;                // absent without GSM8K
  Speed speed;
};

/// `ids`: the text, by the tokenizer that the models share. The reference and one other model are in memory
/// at a time. Errors name the model.
Result<std::vector<ComparedRow>> compare_models(const CompareOptions& options, std::span<const int32_t> ids);

}  // namespace tessera::eval
