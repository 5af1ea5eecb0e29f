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
  // Without the field it is a quotient, which may be anything.
  if (config.head_dim < 1 || config.head_dim > kernels::kMaxHeadDim || config.head_dim % 8 != 0) {
    return unsupported("head_dim={}, expected a multiple of 8 up to {}", config.head_dim,
                       kernels::kMaxHeadDim);
  }
  return {};
}

Status refuse_what_is_missing(const ConfigFields& fields) {
  const std::string activation = TRY(fields.text("hidden_act", "silu"));
  if (activation != "silu") return unsupported("hidden_act=\"{:.60}\", expected silu", activation);
  return {};
}

/// layer_types, or what transformers' Qwen2Config makes when there is none: layers from max_window_layers on
/// have the window. sliding_window says nothing where use_sliding_window is false.
Result<std::vector<int32_t>> parse_windows(const ConfigFields& fields, int32_t layers) {
  constexpr std::string_view kSliding = "sliding_attention", kFull = "full_attention";
  const bool used = TRY(fields.boolean("use_sliding_window", false));
  const std::vector<std::string> types = TRY(fields.texts("layer_types"));
  const int32_t first = TRY(fields.integer("max_window_layers", 28, 0, kMaxLayers));
  std::vector<int32_t> windows;
  for (size_t layer = 0; layer < types.size(); ++layer) {
    if (types[layer] != kFull && !(used && types[layer] == kSliding)) {
      return unsupported("layer_types: layer {} is \"{:.60}\" with use_sliding_window={}, expected {}{}",
                         layer, types[layer], used, kFull, used ? " or sliding_attention" : "");
    }
  }
  if (!used) return windows;
  if (!types.empty() && types.size() != static_cast<size_t>(layers)) {
    return invalid_argument("layer_types has {} entries, expected num_hidden_layers={}", types.size(),
                            layers);
  }
  const int32_t window = TRY(fields.integer("sliding_window", 4096, 1, kMaxPositions));
  for (int32_t layer = 0; layer < layers; ++layer) {
    const bool sliding = types.empty() ? layer >= first : types[static_cast<size_t>(layer)] == kSliding;
    windows.push_back(sliding ? window : 0);
  }
  return windows;
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
  config.windows = TRY(parse_windows(fields, config.layers));
  config.rope = TRY(parse_rope(fields, config.max_position));
  return config;
}

}  // namespace tessera::models
