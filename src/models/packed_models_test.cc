// Tiny models that GPTQModel and AutoAWQ packed, against transformers over the weights that the libraries
// dequantize (tools/golden/make_packed_models.py).
#include <gtest/gtest.h>

#include <algorithm>

#include "models/golden_support.h"

namespace tessera::models {
namespace {

struct Case {
  const char *name, *format, *schemes;
};

Result<std::unique_ptr<Model>> load(const std::string& name, const char* dtype,
                                    const std::string& quantization) {
  LoadOptions options;
  options.model_path = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/packed_models/" + name;
  options.dtype = dtype;
  options.quantization = quantization;
  options.threads = 2;
  return Model::load(options);
}

class PackedModels : public testing::TestWithParam<Case> {};

/// KL(golden || ours) per token, and the part of tokens whose likeliest successor is the same.
std::pair<double, double> closeness(Model& model, const std::string& name) {
  double kl = 0, agreeing = 0, tokens = 0;
  for (const Sequence& golden :
       golden_sequences(std::string(TESSERA_SOURCE_DIR) + "/tests/golden/packed_models/" + name)) {
    const Closeness rows = compare_rows(run_alone(model, golden.ids), golden.logits, golden.ids.size());
    kl += rows.kl_sum;
    agreeing += rows.top1_agreeing;
    tokens += static_cast<double>(golden.ids.size());
  }
  return {kl / tokens, agreeing / tokens};
}

TEST_P(PackedModels, LogitsAreThoseOfTheDequantizedWeights) {
  const auto model = load(GetParam().name, "float32", GetParam().format);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  EXPECT_EQ((*model)->report().scheme, GetParam().schemes);
  const auto [kl, agreeing] = closeness(**model, GetParam().name);
  EXPECT_LE(kl, 1e-5);  // the libraries round a weight to float16
  EXPECT_GE(agreeing, 0.98);
}

/// The weights stay, the inputs become codes, and what was left in float stays so.
TEST(PackedModels8, W4A16RunsAsW4A8) {
  const std::string name = "llama-rope3-awq";
  const auto model = load(name, "auto", "w4a8_int8");
  ASSERT_TRUE(model.has_value()) << model.error().message();
  EXPECT_EQ((*model)->report().scheme, "bf16+w4a8-g32-asym");
  const auto [kl, agreeing] = closeness(**model, name);
  EXPECT_LE(kl, 2e-3);
  EXPECT_GT(kl, 1e-7);
  EXPECT_GE(agreeing, 0.9);
}

TEST(PackedModels8, MixturesAreNotOneScheme) {
  const auto model = load("qwen3-gptq", "auto", "w4a8_int8");
  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message().find("down_proj is w8a16-g32"), std::string::npos)
      << model.error().message();
}

INSTANTIATE_TEST_SUITE_P(Models, PackedModels,
                         testing::Values(Case{"qwen3-gptq", "gptq", "w4a16-g32-asym-transformed+w8a16-g32"},
                                         Case{"llama-rope3-awq", "awq", "bf16+w4a16-g32-asym"}),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::models
