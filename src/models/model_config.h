// ModelConfig: a decoder as facts. Architectures (one folder each) fill it from config.json; the blocks read
// it. What differs between architectures is a field here, never a name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera::models {

/// rope_type "llama3": frequencies of long waves are divided by `factor`, with a smooth band between.
struct Llama3Rope {
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;
  double original_max_position = 8192;
};

struct RopeConfig {
  double theta = 10000;
  double linear_factor = 1;  // rope_type "linear": positions are divided by it
  std::optional<Llama3Rope> llama3;
};

struct MoeConfig {
  int32_t experts = 0, experts_per_token = 0, intermediate = 0;
  bool normalize_weights = false;  // the chosen experts' weights are scaled to sum to 1
  std::vector<bool> layers;        // which layers have experts instead of a plain MLP
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  int32_t vocab = 0, hidden = 0, intermediate = 0, layers = 0;
  int32_t heads = 0, kv_heads = 0, head_dim = 0;
  int32_t max_position = 0;
  float norm_eps = 0;
  RopeConfig rope;
  bool qkv_bias = false, output_bias = false;  // of the attention projections
  bool mlp_bias = false;
  bool qk_norm = false;  // RMS norm of every query and key head before rotation
  bool tied_embeddings = false;
  std::optional<MoeConfig> moe;
  std::vector<int32_t> windows;  // positions that each layer's rows see, 0: all; empty: all layers see all

  int32_t window(int32_t layer) const { return windows.empty() ? 0 : windows[static_cast<size_t>(layer)]; }
  bool is_moe_layer(int32_t layer) const {
    return moe.has_value() && moe->layers[static_cast<size_t>(layer)];
  }
};

}  // namespace tessera::models
