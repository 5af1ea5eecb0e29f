#include "compress/smooth/fold.h"

#include <fmt/format.h>

namespace tessera::compress {

std::vector<Fold> folds_of_layer(const models::ModelConfig& config, int32_t index, bool norms) {
  const std::string layer = fmt::format("model.layers.{}.", index), attention = layer + "self_attn.",
                    mlp = layer + "mlp.";
  std::vector<Fold> folds;
  if (norms) {
    folds.push_back({.from = layer + "input_layernorm",
                     .into = {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
                     .channels = config.hidden});
  }
  folds.push_back({.from = attention + "v_proj",
                   .into = {attention + "o_proj"},
                   .channels = int64_t{config.kv_heads} * config.head_dim,
                   .head_dim = config.head_dim,
                   .heads_each = config.heads / config.kv_heads});
  Fold norm{.from = layer + "post_attention_layernorm", .into = {}, .channels = config.hidden};
  std::vector<std::string> mlps{mlp};
  int64_t width = config.intermediate;
  if (config.is_moe_layer(index)) {
    norm.into = {mlp + "gate"};
    mlps.clear();
    for (int32_t expert = 0; expert < config.moe->experts; ++expert)
      mlps.push_back(fmt::format("{}experts.{}.", mlp, expert));
    width = config.moe->intermediate;
  }
  for (const std::string& each : mlps) {
    norm.into.insert(norm.into.end(), {each + "gate_proj", each + "up_proj"});
    folds.push_back({.from = each + "up_proj", .into = {each + "down_proj"}, .channels = width});
  }
  if (norms) folds.push_back(std::move(norm));
  return folds;
}

}  // namespace tessera::compress
