// AttentionData: what a checkpoint does in the attention of one layer, beyond what the architecture does.
// Plain data; lives only between the reader and the model.
#pragma once

#include <vector>

#include "quant/input_transform.h"

namespace tessera::quant {

struct AttentionData {
  // Of all heads of a token, after rotation; keys before they are stored. Empty = none.
  InputTransform query_transform, key_transform;
  // Whether keys and values were meant to be kept in int8, and the scales, one for each head of them: code =
  // clamp(round_half_even(x / scale)). Empty: each token brings its own.
  bool int8_cache = false;
  std::vector<float> key_scales, value_scales;
};

}  // namespace tessera::quant
