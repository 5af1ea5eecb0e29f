#include "sampling/sampling_params.h"

#include <cmath>

namespace tessera::sampling {
namespace {

/// Written so that a NaN fails it.
Status check_range(const char* name, float value, float low, float high) {
  if (value >= low && value <= high) return {};
  return invalid_argument("{}={} is out of range, expected [{}, {}]", name, value, low, high);
}

Status validate_adjustments(const SamplingParams& params) {
  TRY_STATUS(check_range("frequency_penalty", params.frequency_penalty, -2, 2));
  TRY_STATUS(check_range("presence_penalty", params.presence_penalty, -2, 2));
  if (!(params.repetition_penalty > 0.0F && params.repetition_penalty <= 2.0F)) {
    return invalid_argument("repetition_penalty={} is out of range, expected (0, 2]",
                            params.repetition_penalty);
  }
  if (params.min_new_tokens < 0) {
    return invalid_argument("min_new_tokens={} is negative, expected >= 0", params.min_new_tokens);
  }
  for (const auto& [token, bias] : params.logit_bias) {
    if (!(bias >= -100.0F && bias <= 100.0F)) {
      return invalid_argument("logit_bias of token {} is {}, expected [-100, 100]", token, bias);
    }
  }
  return {};
}

}  // namespace

Status validate(const SamplingParams& params) {
  // Written so that a NaN fails each of them.
  if (!(params.temperature >= 0.0F && std::isfinite(params.temperature))) {
    return invalid_argument("temperature={} is out of range, expected a finite number >= 0",
                            params.temperature);
  }
  if (!(params.top_p > 0.0F && params.top_p <= 1.0F)) {
    return invalid_argument("top_p={} is out of range, expected (0, 1]", params.top_p);
  }
  if (params.top_k < 1 && params.top_k != -1) {
    return invalid_argument("top_k={} is out of range, expected -1 (all) or >= 1", params.top_k);
  }
  TRY_STATUS(check_range("min_p", params.min_p, 0, 1));
  return validate_adjustments(params);
}

}  // namespace tessera::sampling
