#include "sampling/sampling_params.h"

#include <cmath>

namespace tessera::sampling {

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
  if (!(params.min_p >= 0.0F && params.min_p <= 1.0F)) {
    return invalid_argument("min_p={} is out of range, expected [0, 1]", params.min_p);
  }
  return {};
}

}  // namespace tessera::sampling
