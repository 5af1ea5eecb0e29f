// AttentionExtras: what a checkpoint, not the architecture, does in the attention of one layer.
#pragma once

#include <memory>

#include "ops/input_transform.h"
#include "quant/attention_data.h"

namespace tessera::models {

struct AttentionExtras {
  // Of all heads of a row, after rotation; keys before they are stored. Null = none.
  std::unique_ptr<const ops::InputTransform> query_transform, key_transform;
  bool int8_cache = false;          // whether `--kv-cache-dtype auto` is int8
  quant::CacheScales keys, values;  // of such a cache
};

}  // namespace tessera::models
