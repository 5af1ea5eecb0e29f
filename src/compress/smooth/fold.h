// Folds: the places of a decoder where a channel can be divided by a number in front of a linear and the
// linear's column multiplied by it, so that the float model stays what it is and its quantized inputs and
// weights do not. Plain data and pure functions; thread-safe.
//
//   input_layernorm -> q, k, v      post_attention_layernorm -> gate, up (of all experts), router
//   v_proj -> o_proj                up_proj -> down_proj (of each expert)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model_config.h"

namespace tessera::compress {

struct Fold {
  std::string from;               // whose outputs are divided: a norm or a linear, without ".weight"
  std::vector<std::string> into;  // linears whose columns are multiplied; a router first
  int64_t channels = 0;           // of `from`
  // v -> o: every head of values feeds as many heads of o's columns in a row. 0: columns are channels.
  int64_t head_dim = 0, heads_each = 1;

  size_t channel_of(size_t column) const {
    if (head_dim == 0) return column;
    const auto dim = static_cast<size_t>(head_dim);
    return column / dim / static_cast<size_t>(heads_each) * dim + column % dim;
  }
};

/// Of layer `index`. Without `norms` only those from linear to linear.
std::vector<Fold> folds_of_layer(const models::ModelConfig& config, int32_t index, bool norms);

/// A fold and what its channels are divided by: [channels], finite and > 0.
struct ScaledFold {
  Fold fold;
  std::vector<float> scales;
};

}  // namespace tessera::compress
