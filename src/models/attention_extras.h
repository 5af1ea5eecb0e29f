// AttentionExtras: what a checkpoint, not the architecture, does in the attention of one layer.
#pragma once

#include <memory>
#include <vector>

#include "ops/input_transform.h"

namespace tessera::models {

struct AttentionExtras {
  // Of all heads of a row, after rotation; keys before they are stored. Null = none.
  std::unique_ptr<const ops::InputTransform> query_transform, key_transform;
  // Whether `--kv-cache-dtype auto` is int8, and the scales of such a cache: [heads of keys], or empty: each
  // token brings its own.
  bool int8_cache = false;
  std::vector<float> key_scales, value_scales;
};

}  // namespace tessera::models
