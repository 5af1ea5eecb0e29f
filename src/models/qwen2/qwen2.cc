#include "models/qwen2/qwen2.h"

#include "models/config_fields.h"

namespace tessera::models {
namespace {

/// Qwen2 and Qwen2.5: q, k and v always have a bias, o never.
Result<ModelConfig> parse(const nlohmann::json& json) {
  ModelConfig config = TRY(parse_decoder(ConfigFields(json)));
  config.qkv_bias = true;
  return config;
}

}  // namespace

const Architecture kQwen2{.name = "Qwen2ForCausalLM", .parse = parse};

}  // namespace tessera::models
