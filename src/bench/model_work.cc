#include "bench/model_work.h"

#include <cmath>

namespace tessera::bench {

int64_t macs_per_token(const models::ModelConfig& config) {
  const int64_t hidden = config.hidden, q_width = int64_t{config.heads} * config.head_dim,
                kv_width = int64_t{config.kv_heads} * config.head_dim;
  int64_t macs = 0;
  for (int32_t layer = 0; layer < config.layers; ++layer) {
    macs += hidden * (q_width + 2 * kv_width) + q_width * hidden;
    if (config.is_moe_layer(layer)) {
      macs += hidden * config.moe->experts +
              int64_t{3} * config.moe->experts_per_token * hidden * config.moe->intermediate;
    } else {
      macs += int64_t{3} * hidden * config.intermediate;
    }
  }
  return macs;
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
