#include "formats/gguf/import_config.h"

#include <cstdlib>

namespace tessera::formats::gguf {
namespace {

using nlohmann::json;

// Bounds before any multiplication; the largest published models stay far below.
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxVocab = 1 << 24;
constexpr int64_t kMaxExperts = 1 << 16;
constexpr int64_t kMaxContext = 1 << 30;

// Metadata of one architecture: keys are "llama.block_count".
class Keys {
 public:
  Keys(const GgufFile& file, std::string_view prefix) : file_(file), prefix_(prefix) {}

  bool has(std::string_view key) const { return file_.has(full(key)); }
  Result<int64_t> integer(std::string_view key, int64_t max) const {
    return file_.integer(full(key), 1, max);
  }
  Result<int64_t> integer_or(std::string_view key, int64_t max, int64_t otherwise) const {
    return has(key) ? integer(key, max) : Result<int64_t>(otherwise);
  }
  /// Positive and finite.
  Result<double> number(std::string_view key) const {
    const double value = TRY(file_.number(full(key)));
    if (!(value > 0 && value < 1e30)) {
      return data_corrupt("{}: {}={}, expected a number above 0", file_.name(), full(key), value);
    }
    return shortest_decimal(value);
  }
  Result<double> number_or(std::string_view key, double otherwise) const {
    return has(key) ? number(key) : Result<double>(otherwise);
  }
  Result<bool> boolean_or(std::string_view key, bool otherwise) const {
    return has(key) ? file_.boolean(full(key)) : Result<bool>(otherwise);
  }
  std::string full(std::string_view key) const { return fmt::format("{}.{}", prefix_, key); }

 private:
  const GgufFile& file_;
  std::string_view prefix_;
};

struct Heads {
  int64_t query = 0, key_value = 0, dim = 0;
};

Result<Heads> read_heads(const GgufFile& file, const Keys& keys, int64_t hidden) {
  Heads heads;
  heads.query = TRY(keys.integer("attention.head_count", kMaxHeads));
  heads.key_value = TRY(keys.integer_or("attention.head_count_kv", kMaxHeads, heads.query));
  if (heads.query % heads.key_value != 0) {
    return data_corrupt("{}: {}={} does not divide {}={}", file.name(), keys.full("attention.head_count_kv"),
                        heads.key_value, keys.full("attention.head_count"), heads.query);
  }
  if (!keys.has("attention.key_length") && hidden % heads.query != 0) {
    return data_corrupt("{}: {}={} does not divide {}={}", file.name(), keys.full("attention.head_count"),
                        heads.query, keys.full("embedding_length"), hidden);
  }
  heads.dim = TRY(keys.integer_or("attention.key_length", kMaxWidth, hidden / heads.query));
  const int64_t value_dim = TRY(keys.integer_or("attention.value_length", kMaxWidth, heads.dim));
  const int64_t rotary_dim = TRY(keys.integer_or("rope.dimension_count", kMaxWidth, heads.dim));
  if (value_dim != heads.dim || rotary_dim != heads.dim || heads.dim % 2 != 0) {
    return unsupported("{}: heads have {} key, {} value and {} rotary dimensions, expected one even number",
                       file.name(), heads.dim, value_dim, rotary_dim);
  }
  return heads;
}

Status refuse_inexpressible(const GgufFile& file, const Keys& keys, const Architecture& architecture) {
  if (keys.has("attention.sliding_window")) {
    return unsupported("{}: {}: sliding-window attention is not supported", file.name(),
                       keys.full("attention.sliding_window"));
  }
  if (!architecture.moe && file.has(keys.full("expert_count"))) {
    const int64_t experts = TRY(file.integer(keys.full("expert_count"), 0, kMaxExperts));
    if (experts > 0) {
      return unsupported("{}: {}={}: this architecture's mixture of experts is not supported", file.name(),
                         keys.full("expert_count"), experts);
    }
  }
  if (file.has("split.count") && TRY(file.integer("split.count", 0, INT64_MAX)) > 1) {
    return unsupported("{}: one of several split files, expected a single file", file.name());
  }
  return {};
}

// Adds the mixture of experts to config.json and its sizes to the dims.
Status import_experts(const Keys& keys, ImportedConfig& result) {
  const int64_t experts = TRY(keys.integer("expert_count", kMaxExperts));
  const int64_t width = TRY(keys.integer("expert_feed_forward_length", kMaxWidth));
  result.dims[static_cast<size_t>(Dim::kExperts)] = experts;
  result.dims[static_cast<size_t>(Dim::kExpertFfn)] = width;
  result.config["num_experts"] = experts;
  result.config["num_experts_per_tok"] = TRY(keys.integer("expert_used_count", experts));
  result.config["moe_intermediate_size"] = width;
  // llama.cpp normalizes for this architecture whatever the file says, and converters do not write the key.
  result.config["norm_topk_prob"] = TRY(keys.boolean_or("expert_weights_norm", true));
  result.config["decoder_sparse_step"] = 1;
  result.config["mlp_only_layers"] = json::array();
  return {};
}

// The embedding's height, which the metadata may repeat.
Result<int64_t> read_vocab_size(const GgufFile& file, const Keys& keys) {
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return data_corrupt("{}: has no token_embd.weight", file.name());
  const int64_t vocab = embedding->rows();
  if (vocab > kMaxVocab) {
    return data_corrupt("{}: {} rows, expected at most {}", embedding->name, vocab, kMaxVocab);
  }
  if (TRY(keys.integer_or("vocab_size", kMaxVocab, vocab)) != vocab) {
    return data_corrupt("{}: {} is not the {} rows of token_embd.weight", file.name(),
                        keys.full("vocab_size"), vocab);
  }
  return vocab;
}

Result<json> context_and_rope(const GgufFile& file, const Keys& keys, std::string_view architecture,
                              int64_t head_dim) {
  json config = json::object();
  config["max_position_embeddings"] = TRY(keys.integer("context_length", kMaxContext));
  config["rms_norm_eps"] = TRY(keys.number("attention.layer_norm_rms_epsilon"));
  const double theta = TRY(keys.number_or("rope.freq_base", 10000.0));
  config["rope_theta"] = theta;
  config["rope_scaling"] = TRY(import_rope_scaling(file, architecture, theta, head_dim));
  return config;
}

}  // namespace

double shortest_decimal(double float32_value) {
  return std::strtod(fmt::format("{}", static_cast<float>(float32_value)).c_str(), nullptr);
}

Result<ImportedConfig> import_config(const GgufFile& file) {
  ImportedConfig result;
  const std::string name = TRY(file.string("general.architecture"));
  result.architecture = TRY(find_architecture(name).context(file.name()));
  const Keys keys(file, name);
  TRY_STATUS(refuse_inexpressible(file, keys, *result.architecture));

  result.layers = TRY(keys.integer("block_count", kMaxLayers));
  const int64_t hidden = TRY(keys.integer("embedding_length", kMaxWidth));
  const int64_t ffn = TRY(keys.integer("feed_forward_length", kMaxWidth));
  const Heads heads = TRY(read_heads(file, keys, hidden));
  const int64_t vocab = TRY(read_vocab_size(file, keys));
  result.dims = {hidden, heads.query * heads.dim, heads.key_value * heads.dim, heads.dim, ffn, vocab, 0, 0};
  result.biases = result.architecture->biases_required || file.find_tensor("blk.0.attn_q.bias") != nullptr;

  result.config = {{"architectures", {result.architecture->hf_class}},
                   {"model_type", result.architecture->model_type},
                   {"hidden_act", "silu"},
                   {"hidden_size", hidden},
                   {"intermediate_size", ffn},
                   {"num_hidden_layers", result.layers},
                   {"num_attention_heads", heads.query},
                   {"num_key_value_heads", heads.key_value},
                   {"head_dim", heads.dim},
                   {"vocab_size", vocab},
                   {"tie_word_embeddings", file.find_tensor("output.weight") == nullptr},
                   {"attention_bias", result.biases},
                   {"attention_dropout", 0.0},
                   {"mlp_bias", false},
                   {"use_sliding_window", false},
                   {"initializer_range", 0.02},
                   {"use_cache", true}};
  result.config.update(TRY(context_and_rope(file, keys, name, heads.dim)));
  if (result.architecture->moe) TRY_STATUS(import_experts(keys, result));
  return result;
}

}  // namespace tessera::formats::gguf
