// parse_decoder(): what Llama-shaped decoders share.
#include "kernels/attention/attention.h"
#include "models/config_fields.h"

namespace tessera::models {
namespace {

constexpr int64_t kMaxLayers = 1024, kMaxWidth = 1 << 20, kMaxVocab = 1 << 22, kMaxPositions = 1 << 26;
constexpr int64_t kMaxHeads = 4096;

Result<Llama3Rope> parse_llama3(const ConfigFields& scaling, int32_t max_position) {
  Llama3Rope rope;
  rope.factor = TRY(scaling.number("factor", 0));
  rope.low_freq_factor = TRY(scaling.number("low_freq_factor", 0));
  rope.high_freq_factor = TRY(scaling.number("high_freq_factor", 0));
  rope.original_max_position = TRY(scaling.number("original_max_position_embeddings", max_position));
  if (rope.factor < 1 || rope.low_freq_factor <= 0 || rope.high_freq_factor <= rope.low_freq_factor ||
      rope.original_max_position < 1) {
    return invalid_argument(
        "rope_scaling: factor={}, low_freq_factor={}, high_freq_factor={}, "
        "original_max_position_embeddings={}, "
        "expected factor >= 1, 0 < low < high and a length >= 1",
        rope.factor, rope.low_freq_factor, rope.high_freq_factor, rope.original_max_position);
  }
  return rope;
}

/// rope_theta and rope_scaling, or rope_parameters with both, as newer configs have it.
Result<RopeConfig> parse_rope(const ConfigFields& fields, int32_t max_position) {
  RopeConfig rope;
  rope.theta = TRY(fields.number("rope_theta", rope.theta));
  auto scaling = TRY(fields.object("rope_parameters"));
  if (scaling) {
    rope.theta = TRY(scaling->number("rope_theta", rope.theta));
  } else {
    scaling = TRY(fields.object("rope_scaling"));
  }
  if (rope.theta <= 1) return invalid_argument("rope_theta={}, expected above 1", rope.theta);
  if (!scaling) return rope;
  const std::string old_name = TRY(scaling->text("type", "default"));
  const std::string type = TRY(scaling->text("rope_type", old_name));
  if (type == "llama3") {
    rope.llama3 = TRY(parse_llama3(*scaling, max_position));
  } else if (type == "linear") {
    rope.linear_factor = TRY(scaling->number("factor", 1));
    if (rope.linear_factor < 1) {
      return invalid_argument("rope_scaling: factor={}, expected at least 1", rope.linear_factor);
    }
  } else if (type != "default") {
    return unsupported("rope_scaling: rope_type \"{:.60}\" is unknown, expected default, linear or llama3",
                       type);
  }
  return rope;
}

Status parse_heads(const ConfigFields& fields, ModelConfig& config) {
  config.heads = TRY(fields.integer("num_attention_heads", 1, kMaxHeads));
  config.kv_heads = TRY(fields.integer("num_key_value_heads", config.heads, 1, kMaxHeads));
  if (config.heads % config.kv_heads != 0) {
    return invalid_argument("num_key_value_heads={} does not divide num_attention_heads={}", config.kv_heads,
                            config.heads);
  }
  config.head_dim = TRY(fields.integer("head_dim", config.hidden / config.heads, 1, kernels::kMaxHeadDim));
  if (config.head_dim % 8 != 0) {
    return unsupported("head_dim={}, expected a multiple of 8", config.head_dim);
  }
  return {};
}

Status refuse_what_is_missing(const ConfigFields& fields) {
  const std::string activation = TRY(fields.text("hidden_act", "silu"));
  if (activation != "silu") return unsupported("hidden_act=\"{:.60}\", expected silu", activation);
  const bool window = TRY(fields.boolean("use_sliding_window", false));
  if (window) return unsupported("use_sliding_window=true, expected false");
  return {};
}

}  // namespace

Result<ModelConfig> parse_decoder(const ConfigFields& fields) {
  ModelConfig config;
  config.vocab = TRY(fields.integer("vocab_size", 1, kMaxVocab));
  config.hidden = TRY(fields.integer("hidden_size", 1, kMaxWidth));
  config.intermediate = TRY(fields.integer("intermediate_size", 1, kMaxWidth));
  config.layers = TRY(fields.integer("num_hidden_layers", 1, kMaxLayers));
  config.max_position = TRY(fields.integer("max_position_embeddings", 2048, 1, kMaxPositions));
  const double eps = TRY(fields.number("rms_norm_eps", 1e-6));
  if (eps <= 0 || eps > 1) return invalid_argument("rms_norm_eps={}, expected above 0 and at most 1", eps);
  config.norm_eps = static_cast<float>(eps);
  config.tied_embeddings = TRY(fields.boolean("tie_word_embeddings", false));
  TRY_STATUS(parse_heads(fields, config));
  TRY_STATUS(refuse_what_is_missing(fields));
  config.rope = TRY(parse_rope(fields, config.max_position));
  return config;
}

}  // namespace tessera::models
