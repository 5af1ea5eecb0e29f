// make_moe DIRECTORY LAYERS|CONFIG.json: a checkpoint in bf16 that nobody trained. Of a number of layers a
// Qwen3-MoE for the memory test, 64 experts of 1024 x 512, 210 MB a layer; or of a config.json's shapes.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/json_limits.h"
#include "formats/safetensors/safetensors_writer.h"
#include "models/architecture.h"
#include "models/decoder_weights.h"
#include "models/loader/dummy_checkpoint.h"

namespace tessera {
namespace {

nlohmann::json config_of(int layers) {
  return {{"architectures", {"Qwen3MoeForCausalLM"}},
          {"model_type", "qwen3_moe"},
          {"vocab_size", 8192},
          {"hidden_size", 1024},
          {"intermediate_size", 2048},
          {"moe_intermediate_size", 512},
          {"num_hidden_layers", layers},
          {"num_attention_heads", 16},
          {"num_key_value_heads", 4},
          {"head_dim", 64},
          {"num_experts", 64},
          {"num_experts_per_tok", 8},
          {"norm_topk_prob", true},
          {"decoder_sparse_step", 1},
          {"mlp_only_layers", nlohmann::json::array()},
          {"hidden_act", "silu"},
          {"max_position_embeddings", 4096},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1000000.0},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"}};
}

Result<nlohmann::json> parse_config(const std::string& argument) {
  int layers = 0;
  const char* end = argument.data() + argument.size();
  if (std::from_chars(argument.data(), end, layers).ptr == end && layers > 0) return config_of(layers);
  const std::string text = TRY(read_text_file(argument, 1 << 20));
  return formats::parse_json(text, argument);
}

Status make(const std::filesystem::path& directory, const std::string& argument) {
  std::filesystem::create_directories(directory);
  const nlohmann::json config = TRY(parse_config(argument));
  const models::ModelConfig parsed = TRY(models::parse_model_config(config));
  models::DecoderWeights weights;
  const models::DummySource source(models::declare(parsed, weights).float_tensors());
  std::vector<formats::TensorSpec> specs;
  for (const formats::TensorInfo& info : source.tensors())
    specs.push_back({.name = info.name, .dtype = info.dtype, .shape = info.shape});
  auto writer = TRY(formats::SafetensorsWriter::create(directory, specs, 1'000'000'000));
  std::vector<std::byte> data;
  for (const formats::TensorInfo& info : source.tensors()) {
    data.resize(info.bytes);
    TRY_STATUS(source.read(info, data));
    TRY_STATUS(writer.write(info.name, data));
  }
  TRY_STATUS(writer.commit());
  return write_text_file(directory / "config.json", config.dump(2));
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "make_moe: expected DIRECTORY LAYERS|CONFIG.json\n");
    return 2;
  }
  if (const auto made = tessera::make(argv[1], argv[2]); !made) {
    fmt::print(stderr, "make_moe: {}\n", made.error().message());
    return 1;
  }
  return 0;
}
