// AttentionData: what a checkpoint does in the attention of one layer, beyond what the architecture does.
// Plain data; lives only between the reader and the model.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/input_transform.h"

namespace tessera::quant {

/// How the int8 codes of a cache are made: code = clamp(round_half_even(x / scale + offset), -128, 127).
struct CacheScales {
  std::vector<float>
      scales;  // [heads of keys], or [heads of keys * head_dim]; empty: each token brings its own
  std::vector<float> offsets;  // [heads of keys * head_dim], whole numbers; empty: all are 0

  /// Of every column of every head, not of heads.
  bool per_channel(int64_t heads) const { return static_cast<int64_t>(scales.size()) > heads; }
};

struct AttentionData {
  // Of all heads of a token, after rotation; keys before they are stored. Empty = none.
  InputTransform query_transform, key_transform;
  bool int8_cache = false;  // whether keys and values were meant to be kept in int8
  CacheScales keys, values;
};

}  // namespace tessera::quant
