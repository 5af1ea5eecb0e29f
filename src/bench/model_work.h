// What a model's linears multiply and read, from its config alone: the numerators of "% of peak" and "% of
// bandwidth". Pure.
#pragma once

#include <cstdint>

#include "models/load_report.h"
#include "models/model_config.h"

namespace tessera::bench {

/// Multiply-adds of all linears but the output head for one token: attention's own products are not counted.
int64_t macs_per_token(const models::ModelConfig& config);
/// Of the output head for one row.
int64_t head_macs(const models::ModelConfig& config);

/// Of one step over `tokens` tokens of which `wanted` get logits: behind the last layer's attention only
/// those go on.
int64_t macs_per_step(const models::ModelConfig& config, int64_t tokens, int64_t wanted);

/// Bytes of weights that one step over `tokens` tokens reads, head included. With experts: those that
/// `tokens` tokens hit on average when every expert is equally likely.
double bytes_per_step(const models::ModelConfig& config, const models::LoadReport& report, int64_t tokens);

}  // namespace tessera::bench
