#include "bench/model_work.h"

#include <cmath>

namespace tessera::bench {

namespace {

int64_t attention_macs(const models::ModelConfig& config) {
  const int64_t q_width = int64_t{config.heads} * config.head_dim,
                kv_width = int64_t{config.kv_heads} * config.head_dim;
  return int64_t{config.hidden} * (2 * q_width + 2 * kv_width);
}

int64_t mlp_macs(const models::ModelConfig& config, int32_t layer) {
  const int64_t hidden = config.hidden;
  if (!config.is_moe_layer(layer)) return 3 * hidden * config.intermediate;
  return hidden * config.moe->experts + 3 * config.moe->experts_per_token * hidden * config.moe->intermediate;
}

}  // namespace

int64_t macs_per_token(const models::ModelConfig& config) {
  int64_t macs = 0;
  for (int32_t layer = 0; layer < config.layers; ++layer)
    macs += attention_macs(config) + mlp_macs(config, layer);
  return macs;
}

int64_t macs_per_step(const models::ModelConfig& config, int64_t tokens, int64_t wanted) {
  return tokens * macs_per_token(config) - (tokens - wanted) * mlp_macs(config, config.layers - 1) +
         wanted * head_macs(config);
}

int64_t head_macs(const models::ModelConfig& config) {
  return int64_t{config.vocab} * config.hidden;
}

double bytes_per_step(const models::ModelConfig& config, const models::LoadReport& report, int64_t tokens) {
  const auto bytes = static_cast<double>(report.bytes_per_token);
  if (!config.moe) return bytes;
  const double experts = config.moe->experts, chosen = config.moe->experts_per_token;
  const double hit = experts * (1 - std::pow(1 - chosen / experts, static_cast<double>(tokens)));
  return bytes + (hit - chosen) * static_cast<double>(report.bytes_per_expert);
}

}  // namespace tessera::bench
