#include "models/decoder_weights.h"

#include <fmt/format.h>

namespace tessera::models {
namespace {

using Bias = Parameters::Bias;

Bias bias_if(bool present) {
  return present ? Bias::kPresent : Bias::kNone;
}

void declare_norm(const std::string& name, int64_t hidden, NormWeights& weights, Parameters& parameters) {
  parameters.vector(weights.weight, name, hidden, &weights.bias);
}

void declare_attention(const ModelConfig& config, const std::string& prefix, AttentionWeights& weights,
                       Parameters& parameters) {
  const int64_t hidden = config.hidden;
  const int64_t q_width = int64_t{config.heads} * config.head_dim,
                kv_width = int64_t{config.kv_heads} * config.head_dim;
  const Bias qkv = bias_if(config.qkv_bias);
  parameters.linear(weights.q, prefix + "q_proj", q_width, hidden, qkv);
  parameters.linear(weights.k, prefix + "k_proj", kv_width, hidden, qkv);
  parameters.linear(weights.v, prefix + "v_proj", kv_width, hidden, qkv);
  parameters.linear(weights.o, prefix + "o_proj", hidden, q_width, bias_if(config.output_bias));
  if (config.qk_norm) {
    parameters.vector(weights.q_norm, prefix + "q_norm", config.head_dim);
    parameters.vector(weights.k_norm, prefix + "k_norm", config.head_dim);
  }
}

void declare_mlp(const std::string& prefix, int64_t hidden, int64_t intermediate, Bias bias,
                 MlpWeights& weights, Parameters& parameters) {
  parameters.linear(weights.gate, prefix + "gate_proj", intermediate, hidden, bias);
  parameters.linear(weights.up, prefix + "up_proj", intermediate, hidden, bias);
  parameters.linear(weights.down, prefix + "down_proj", hidden, intermediate, bias);
}

void declare_moe(const ModelConfig& config, const std::string& prefix, MoeWeights& weights,
                 Parameters& parameters) {
  parameters.linear(weights.router, prefix + "gate", config.moe->experts, config.hidden);
  weights.experts.resize(static_cast<size_t>(config.moe->experts));
  for (size_t expert = 0; expert < weights.experts.size(); ++expert) {
    declare_mlp(fmt::format("{}experts.{}.", prefix, expert), config.hidden, config.moe->intermediate,
                Bias::kNone, weights.experts[expert], parameters);
  }
}

int64_t mlp_bytes(const MlpWeights& weights) {
  return weights.gate.packed_bytes() + weights.up.packed_bytes() + weights.down.packed_bytes();
}

}  // namespace

void declare_layer(const ModelConfig& config, int32_t index, LayerWeights& layer, Parameters& parameters) {
  const std::string prefix = fmt::format("model.layers.{}.", index);
  declare_norm(prefix + "input_layernorm", config.hidden, layer.attention_norm, parameters);
  declare_attention(config, prefix + "self_attn.", layer.attention, parameters);
  parameters.attention(layer.attention.extras, prefix + "self_attn",
                       {.query = config.heads, .key = config.kv_heads, .dim = config.head_dim});
  declare_norm(prefix + "post_attention_layernorm", config.hidden, layer.mlp_norm, parameters);
  if (config.is_moe_layer(index)) {
    declare_moe(config, prefix + "mlp.", layer.moe, parameters);
  } else {
    declare_mlp(prefix + "mlp.", config.hidden, config.intermediate, bias_if(config.mlp_bias), layer.mlp,
                parameters);
  }
}

Parameters declare(const ModelConfig& config, DecoderWeights& weights) {
  Parameters parameters;
  if (config.tied_embeddings) {
    parameters.tied_head(weights.head, "model.embed_tokens", config.vocab, config.hidden);
    parameters.ignore("lm_head.weight");
  } else {
    parameters.embedding(weights.embedding, "model.embed_tokens", config.vocab, config.hidden);
    parameters.linear(weights.head, "lm_head", config.vocab, config.hidden);
  }
  weights.layers.resize(static_cast<size_t>(config.layers));
  for (int32_t index = 0; index < config.layers; ++index)
    declare_layer(config, index, weights.layers[static_cast<size_t>(index)], parameters);
  declare_norm("model.norm", config.hidden, weights.final_norm, parameters);
  return parameters;
}

int64_t bytes_per_token(const ModelConfig& config, const DecoderWeights& weights) {
  int64_t bytes = weights.head.packed_bytes();
  for (const LayerWeights& layer : weights.layers) {
    const AttentionWeights& attention = layer.attention;
    bytes += attention.q.packed_bytes() + attention.k.packed_bytes() + attention.v.packed_bytes() +
             attention.o.packed_bytes();
    if (layer.moe.experts.empty()) {
      bytes += mlp_bytes(layer.mlp);
    } else {
      bytes += layer.moe.router.packed_bytes() +
               config.moe->experts_per_token * mlp_bytes(layer.moe.experts.front());
    }
  }
  return bytes;
}

int64_t bytes_per_expert(const DecoderWeights& weights) {
  int64_t bytes = 0;
  for (const LayerWeights& layer : weights.layers) {
    if (!layer.moe.experts.empty()) bytes += mlp_bytes(layer.moe.experts.front());
  }
  return bytes;
}

}  // namespace tessera::models
