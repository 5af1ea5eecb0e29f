// DecoderWeights: the parameters of a Llama-shaped decoder, by layer, and their names in Hugging Face
// checkpoints.
#pragma once

#include <vector>

#include "models/loader/parameters.h"
#include "models/model_config.h"
#include "ops/embedding.h"
#include "ops/linear.h"

namespace tessera::models {

struct AttentionWeights {
  ops::Linear q, k, v, o;
  std::vector<float> q_norm, k_norm;  // [head_dim] or empty
  AttentionExtras extras;
};

struct MlpWeights {
  ops::Linear gate, up, down;
};

struct MoeWeights {
  ops::Linear router;               // [experts, hidden]
  std::vector<MlpWeights> experts;  // empty: the layer has a plain MLP
};

/// y = x / rms(x) * weight + bias.
struct NormWeights {
  std::vector<float> weight;  // [hidden]
  std::vector<float> bias;    // [hidden], or empty: quantizers that shift outliers away leave one
};

struct LayerWeights {
  NormWeights attention_norm, mlp_norm;
  AttentionWeights attention;
  MlpWeights mlp;
  MoeWeights moe;
};

struct DecoderWeights {
  ops::Embedding embedding;
  std::vector<LayerWeights> layers;
  NormWeights final_norm;
  ops::Linear head;  // [vocab, hidden]

  DecoderWeights() = default;
  // Parameters and a tied embedding point into it.
  DecoderWeights(const DecoderWeights&) = delete;
  DecoderWeights& operator=(const DecoderWeights&) = delete;
};

/// Declares the parameters of layer `index`.
void declare_layer(const ModelConfig& config, int32_t index, LayerWeights& layer, Parameters& parameters);

/// Sizes `weights` and declares every parameter of `config`.
Parameters declare(const ModelConfig& config, DecoderWeights& weights);

/// Bytes of weights that decoding one token reads: all linears but the experts that are not chosen.
int64_t bytes_per_token(const ModelConfig& config, const DecoderWeights& weights);

/// Bytes of one expert in each layer that has experts, together.
int64_t bytes_per_expert(const DecoderWeights& weights);

}  // namespace tessera::models
