#include "models/qwen3/qwen3.h"

#include "models/config_fields.h"

namespace tessera::models {
namespace {

/// Qwen3: a norm on every query and key head.
Result<ModelConfig> parse(const nlohmann::json& json) {
  const ConfigFields fields(json);
  ModelConfig config = TRY(parse_decoder(fields));
  config.qk_norm = true;
  config.qkv_bias = TRY(fields.boolean("attention_bias", false));
  config.output_bias = config.qkv_bias;
  return config;
}

}  // namespace

const Architecture kQwen3{.name = "Qwen3ForCausalLM", .parse = parse};

}  // namespace tessera::models
