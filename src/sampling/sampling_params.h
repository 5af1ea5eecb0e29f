// How a request's tokens are drawn. Defaults are SGLang's.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace tessera::sampling {

struct SamplingParams {
  float temperature = 1.0F;           // < 1e-6: greedy
  float top_p = 1.0F;                 // (0, 1]
  int32_t top_k = -1;                 // -1 = all, else >= 1
  float min_p = 0.0F;                 // [0, 1]
  std::optional<uint64_t> seed = {};  // absent: drawn when the request is admitted

  bool greedy() const { return temperature < 1e-6F || top_k == 1; }
};

/// kInvalidArgument naming field, value and range.
Status validate(const SamplingParams& params);

}  // namespace tessera::sampling
