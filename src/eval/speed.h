// How fast a loaded model reads a prompt and writes after it, one sequence alone: figures to set models side
// by side with. `tessera bench latency` relates such figures to what the machine can do.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "models/model.h"

namespace tessera::eval {

struct SpeedOptions {
  int32_t prompt = 512;  // tokens; fewer when the text or the model's context is shorter
  int32_t decode = 64;   // tokens after it
  int32_t repeats = 5;
};

struct Speed {
  double prefill_tokens_per_s = 0;  // medians of the repeats
  double decode_tokens_per_s = 0;
};

/// `ids`: at least one token; the prompt is their beginning.
Result<Speed> measure_speed(models::Model& model, std::span<const int32_t> ids, const SpeedOptions& options);

}  // namespace tessera::eval
