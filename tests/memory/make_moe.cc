// make_moe DIRECTORY LAYERS: a Qwen3-MoE checkpoint in bf16 that nobody trained, for the memory test: 64
// experts of 1024 x 512, 210 MB a layer.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
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

Status make(const std::filesystem::path& directory, int layers) {
  std::filesystem::create_directories(directory);
  const nlohmann::json config = config_of(layers);
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
  int layers = 0;
  if (argc == 3) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), layers);
  if (layers < 1) {
    fmt::print(stderr, "make_moe: expected DIRECTORY LAYERS\n");
    return 2;
  }
  if (const auto made = tessera::make(argv[1], layers); !made) {
    fmt::print(stderr, "make_moe: {}\n", made.error().message());
    return 1;
  }
  return 0;
}
