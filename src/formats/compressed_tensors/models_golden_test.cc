// Checkpoints that llmcompressor saved (tools/golden/make_llmcompressor_models.py): every weight,
// dequantized, equals the library's to the bit.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/hf/model_dir.h"
#include "formats/json_limits.h"
#include "formats/weight_format.h"
#include "quant/dequantize.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;

std::string fnv1a(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes)
    hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

class LlmCompressorGolden : public testing::TestWithParam<const char*> {};

TEST_P(LlmCompressorGolden, WeightsAreTheLibrarys) {
  const std::string directory = TESSERA_SOURCE_DIR "/tests/golden/llmcompressor/" + std::string(GetParam());
  const auto model = open_model_dir(directory);
  ASSERT_TRUE(model.has_value()) << model.error().message();
  const auto source = open_safetensors_dir(directory);
  ASSERT_TRUE(source.has_value()) << source.error().message();
  const auto reader = open_weight_reader(model->config, directory, **source);
  ASSERT_TRUE(reader.has_value()) << reader.error().message();
  const json weights =
      *parse_json(*read_text_file(directory + "/golden_weights.json", 1 << 20), "golden_weights.json");
  ASSERT_GE(weights.size(), 14U);
  for (const auto& [name, facts] : weights.items()) {
    auto data = (*reader)->read(name, facts["shape"][0], facts["shape"][1]);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_EQ(data->scheme, *(*reader)->scheme(name, ModuleKind::kLinear)) << name;
    const auto values = quant::dequantize(*std::move(data));
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(fnv1a({values->values.data(), values->values.bytes()}), facts["fnv1a"].get<std::string>())
        << name << " " << facts["type"];
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LlmCompressorGolden,
                         testing::Values("qwen3-w8a8", "llama-w4a16-spinquant", "qwen3-w4a4-quip",
                                         "qwen3-moe-mixed", "llama-w4a8-matrix", "llama-w8a16-cache"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace_if(name, [](char c) { return c == '-' || c == '/'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::formats::compressed_tensors
