// AttentionData: what a checkpoint does to the heads of one layer, beyond what the architecture does. Plain
// data; lives only between the reader and the model.
#pragma once

#include "quant/input_transform.h"

namespace tessera::quant {

struct AttentionData {
  // Of all heads of a token, after rotation; keys before they are stored. Empty = none.
  InputTransform query_transform, key_transform;
};

}  // namespace tessera::quant
