#include "models/llama/llama.h"

#include "models/config_fields.h"

namespace tessera::models {
namespace {

/// Llama 2, 3 and what follows their shape (SmolLM2): biases only where the config says so.
Result<ModelConfig> parse(const nlohmann::json& json) {
  const ConfigFields fields(json);
  ModelConfig config = TRY(parse_decoder(fields));
  config.qkv_bias = TRY(fields.boolean("attention_bias", false));
  config.output_bias = config.qkv_bias;
  config.mlp_bias = TRY(fields.boolean("mlp_bias", false));
  return config;
}

}  // namespace

const Architecture kLlama{.name = "LlamaForCausalLM", .parse = parse};

}  // namespace tessera::models
