// Checkpoints that must be refused with one error that names every misfit, and quantized ones that must run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/test_directory.h"
#include "models/golden_support.h"

namespace tessera::models {
namespace {

/// A copy of a tiny model whose config.json a test changes.
class Copy {
 public:
  explicit Copy(const std::string& name) {
    std::filesystem::copy(golden_dir(name), directory_.path(), std::filesystem::copy_options::recursive);
    std::ifstream(directory_.path() + "/config.json") >> config;
  }
  Result<std::unique_ptr<Model>> load() {
    std::ofstream(directory_.path() + "/config.json") << config;
    LoadOptions options;
    options.model_path = directory_.path();
    options.threads = 1;
    return Model::load(options);
  }
  nlohmann::json config;

 private:
  formats::TestDirectory directory_;
};

std::string error_of(Copy& copy) {
  const auto model = copy.load();
  return model.has_value() ? "loaded" : model.error().message();
}

TEST(Checkpoint, EveryMisfitIsNamed) {
  Copy copy("llama");
  const int layers = copy.config["num_hidden_layers"];
  copy.config["num_hidden_layers"] = layers + 1;
  const std::string missing = error_of(copy);
  for (const std::string name : {"self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj"})
    EXPECT_NE(missing.find("layers." + std::to_string(layers) + "." + name), std::string::npos) << missing;
  EXPECT_NE(missing.find("input_layernorm.weight"), std::string::npos) << missing;
  copy.config["num_hidden_layers"] = layers - 1;
  EXPECT_NE(error_of(copy).find("nothing reads it"), std::string::npos) << error_of(copy);
  copy.config["num_hidden_layers"] = layers;
  copy.config["intermediate_size"] = 8;
  EXPECT_NE(error_of(copy).find("mlp.gate_proj: weight is [172, 64], expected [8, 64]"), std::string::npos)
      << error_of(copy);
}

TEST(Checkpoint, BiasesMustAgreeWithTheConfig) {
  Copy without("llama");
  without.config["attention_bias"] = true;
  EXPECT_NE(error_of(without).find("q_proj.bias: not in the checkpoint"), std::string::npos)
      << error_of(without);
  Copy with("qwen2");
  with.config["architectures"] = {"LlamaForCausalLM"};
  EXPECT_NE(error_of(with).find("q_proj.bias: in the checkpoint"), std::string::npos) << error_of(with);
}

TEST(Checkpoint, ConfigErrorsNameFieldValueAndExpectation) {
  const auto message = [](const char* field, const nlohmann::json& value) {
    Copy copy("llama");
    copy.config[field] = value;
    return error_of(copy);
  };
  EXPECT_EQ(message("num_key_value_heads", 5).find("config.json: num_key_value_heads=5 does not divide"), 0U);
  EXPECT_NE(message("hidden_size", -1).find("hidden_size=-1"), std::string::npos);
  EXPECT_NE(message("hidden_size", 2).find("head_dim=0, expected a multiple of 8"), std::string::npos);
  EXPECT_NE(message("hidden_size", 1 << 20).find("expected a multiple of 8 up to"), std::string::npos);
  EXPECT_NE(message("hidden_size", 1e30).find("hidden_size=1e+30"), std::string::npos);
  EXPECT_NE(message("vocab_size", "many").find("vocab_size=\"many\""), std::string::npos);
  EXPECT_NE(message("rope_scaling", {{"rope_type", "yarn"}}).find("rope_type \"yarn\" is unknown"),
            std::string::npos);
  EXPECT_NE(message("hidden_act", "gelu").find("hidden_act=\"gelu\""), std::string::npos);
  EXPECT_NE(message("architectures", {"MambaForCausalLM"}).find("MambaForCausalLM"), std::string::npos);
  EXPECT_NE(message("rms_norm_eps", 0).find("rms_norm_eps=0"), std::string::npos);
}

TEST(Checkpoint, ExpertsThatDoNotExist) {
  Copy copy("qwen3-moe");
  const int experts = copy.config["num_experts"];
  copy.config["num_experts"] = experts + 1;
  EXPECT_NE(error_of(copy).find(fmt::format("experts.{}.gate_proj", experts)), std::string::npos)
      << error_of(copy);
  copy.config["num_experts"] = experts - 1;
  EXPECT_NE(error_of(copy).find(fmt::format(
                "experts.{}.down_proj.weight: in the checkpoint, but nothing reads it", experts - 1)),
            std::string::npos)
      << error_of(copy);
  copy.config["num_experts"] = experts;
  copy.config["num_experts_per_tok"] = experts + 1;
  EXPECT_NE(error_of(copy).find("num_experts_per_tok="), std::string::npos) << error_of(copy);
}

TEST(Checkpoint, ExpertsCountedUnderTransformers5sName) {
  Copy copy("qwen3-moe");
  copy.config["num_local_experts"] = copy.config["num_experts"];
  copy.config.erase("num_experts");
  EXPECT_EQ(error_of(copy), "loaded");
  copy.config["num_local_experts"] = 1;
  EXPECT_NE(error_of(copy), "loaded");
}

// What a config asks for must not be built before it is compared with the tensors that there are.
TEST(Checkpoint, ConfigsThatAskForTooMuch) {
  Copy experts("qwen3-moe");
  experts.config["decoder_sparse_step"] = 1;
  experts.config["mlp_only_layers"] = nullptr;
  experts.config["num_hidden_layers"] = 1024;
  experts.config["num_experts"] = 65536;
  EXPECT_NE(error_of(experts).find("67108864 experts in all, expected at most 131072"), std::string::npos)
      << error_of(experts);
  Copy large("llama");
  for (const char* field : {"hidden_size", "intermediate_size"})
    large.config[field] = 1 << 20;
  large.config["head_dim"] = 256;
  large.config["vocab_size"] = 1 << 22;
  large.config["max_position_embeddings"] = 1 << 26;
  EXPECT_NE(error_of(large).find("; and "), std::string::npos) << error_of(large);
  // Its rotary table alone would have 1 GB.
  Copy positions("llama");
  positions.config["max_position_embeddings"] = 1 << 24;
  EXPECT_EQ(error_of(positions), "loaded");
}

TEST(Checkpoint, TokensOutsideTheVocabularyAreRefused) {
  Copy copy("llama");
  auto model = copy.load();
  ASSERT_TRUE(model.has_value()) << model.error().message();
  auto cache = (*model)->make_cache(4, 1);
  const std::vector<int32_t> ids{1, 512}, pages{0};
  const std::vector<Chunk> chunks{{.ids = ids, .pages = pages}};
  const auto status = (*model)->forward(chunks, *cache, {});
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message(), "token id 512, expected 0 to 511");
}

class Quantized : public testing::TestWithParam<std::string> {};

// Saved by the compressed-tensors library (tools/golden/make_compressed_tensors_models.py).
TEST_P(Quantized, RunsAndARowStaysItself) {
  LoadOptions options;
  options.model_path = quantized_golden_dir(GetParam());
  auto model = Model::load(options);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 40; ++i)
    ids.push_back((i * 37 + 11) % 512);
  const auto alone = run_alone(**model, ids);
  EXPECT_EQ(alone, run_in_chunks(**model, ids, 3));
  EXPECT_EQ(alone, run_together(**model, {{{5, 6, 7}, {}}, {ids, {}}})[1]);
}

// Its golden rounds inputs to int8 as ours does (absmax/127, half to even) and multiplies in float32: what
// differs is the rounding of that, which now and then moves one code.
TEST(QuantizedGolden, Qwen3W8A8) {
  LoadOptions options;
  options.model_path = quantized_golden_dir("qwen3-w8a8");
  options.dtype = "float32";
  auto model = Model::load(options);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  for (const Sequence& golden : golden_sequences(options.model_path)) {
    const auto logits = run_alone(**model, golden.ids);
    const Closeness closeness = compare_rows(logits, golden.logits, golden.ids.size());
    EXPECT_LE(compare(logits, golden.logits).max_relative, 2e-2) << golden.ids.size() << " tokens";
    EXPECT_LE(closeness.kl_sum / static_cast<double>(golden.ids.size()), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Quantized,
                         testing::Values("llama-rope3-w4a4-w8a8", "qwen3-w4a4-g32", "qwen3-w8a8"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::models
