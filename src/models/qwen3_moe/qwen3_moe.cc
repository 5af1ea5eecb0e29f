#include "models/qwen3_moe/qwen3_moe.h"

#include <algorithm>

#include "models/config_fields.h"

namespace tessera::models {
namespace {

// Of all layers: each is declared, in about 1 KB, before the checkpoint is looked at. The largest published
// models have 23,000.
constexpr int64_t kMaxExperts = 1 << 17;

/// Layers with experts: every decoder_sparse_step-th one (the last of each step), except those in
/// mlp_only_layers.
Result<std::vector<bool>> sparse_layers(const ConfigFields& fields, int32_t layers) {
  const auto step = TRY(fields.integer("decoder_sparse_step", 1, 1, 1000));
  const auto dense = TRY(fields.integers("mlp_only_layers"));
  std::vector<bool> sparse(static_cast<size_t>(layers));
  for (int32_t layer = 0; layer < layers; ++layer)
    sparse[static_cast<size_t>(layer)] = (layer + 1) % step == 0;
  for (const int64_t layer : dense) {
    if (layer < 0 || layer >= layers) {
      return invalid_argument("mlp_only_layers has {}, expected layers 0 to {}", layer, layers - 1);
    }
    sparse[static_cast<size_t>(layer)] = false;
  }
  return sparse;
}

/// Qwen3-MoE: Qwen3 with experts in place of the MLP of some or all layers.
Result<ModelConfig> parse(const nlohmann::json& json) {
  const ConfigFields fields(json);
  ModelConfig config = TRY(parse_decoder(fields));
  config.qk_norm = true;
  config.qkv_bias = TRY(fields.boolean("attention_bias", false));
  config.output_bias = config.qkv_bias;
  MoeConfig moe;
  // transformers 5 saves the number under the name that most other architectures have for it.
  const bool renamed = json.contains("num_local_experts") && !json.contains("num_experts");
  moe.experts = TRY(fields.integer(renamed ? "num_local_experts" : "num_experts", 1, 65536));
  moe.experts_per_token = TRY(fields.integer("num_experts_per_tok", 1, moe.experts));
  moe.intermediate = TRY(fields.integer("moe_intermediate_size", 1, 1 << 20));
  moe.normalize_weights = TRY(fields.boolean("norm_topk_prob", false));
  moe.layers = TRY(sparse_layers(fields, config.layers));
  if (const int64_t experts = std::ranges::count(moe.layers, true) * moe.experts; experts > kMaxExperts) {
    return invalid_argument("num_experts={} makes {} experts in all, expected at most {}", moe.experts,
                            experts, kMaxExperts);
  }
  config.moe = moe;
  return config;
}

}  // namespace

const Architecture kQwen3Moe{.name = "Qwen3MoeForCausalLM", .parse = parse};

}  // namespace tessera::models
