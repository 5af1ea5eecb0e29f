#include "compress/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "compress/quantize.h"
#include "formats/hf/model_dir.h"
#include "formats/test_directory.h"
#include "models/model.h"

namespace tessera::compress {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kModels = TESSERA_SOURCE_DIR "/tests/golden/models/";
const std::string kQuantized = TESSERA_SOURCE_DIR "/tests/golden/quant_models/";

Inspection inspected(const std::string& directory) {
  auto result = inspect_directory(directory);
  EXPECT_TRUE(result.has_value()) << result.error().message();
  return *std::move(result);
}

void expect_sums(const Inspection& result) {
  uint64_t bytes = 0, linears = 0, listed = 0;
  for (const auto& [name, totals] : result.schemes) {
    bytes += totals.bytes;
    linears += totals.linears;
  }
  for (const auto& kind : result.linears)
    listed += kind.linears;
  EXPECT_EQ(bytes, result.total_bytes);
  EXPECT_EQ(linears, listed);
  EXPECT_EQ(result.plan.peak_bytes,
            result.plan.packed_bytes + result.plan.largest_tensor_bytes + (256U << 20));
}

TEST(Inspect, FloatModel) {
  const auto result = inspected(kModels + "qwen3-moe");
  EXPECT_EQ(result.architecture, "Qwen3MoeForCausalLM");
  EXPECT_EQ(result.format, "none");
  EXPECT_THAT(result.refusals, IsEmpty());
  EXPECT_EQ(result.schemes.size(), 1U);
  EXPECT_TRUE(result.schemes.contains("bf16"));
  expect_sums(result);
}

TEST(Inspect, ModelSlimDirectories) {
  const std::string directory = TESSERA_SOURCE_DIR "/tests/golden/modelslim/";
  for (const char* name :
       {"qwen3-w4a4-w8a8", "qwen3-c8", "qwen3-static", "qwen3-flatquant", "qwen3-moe-v0"}) {
    SCOPED_TRACE(name);
    const auto result = inspected(directory + name);
    EXPECT_EQ(result.format, "modelslim");
    EXPECT_THAT(result.refusals, IsEmpty());
    expect_sums(result);
  }
  // 24 experts' gate and up, two rows a byte: the shape is the linear's.
  const auto result = inspected(directory + "qwen3-moe-v0");
  const auto kind =
      std::ranges::find(result.linears, "model.layers.*.mlp.experts.*.gate_proj", &LinearKind::name);
  ASSERT_NE(kind, result.linears.end());
  EXPECT_EQ(kind->scheme, "w4a8");
  EXPECT_EQ(kind->out, 40);
  EXPECT_EQ(kind->in, 64);
  EXPECT_EQ(result.schemes.at("w4a16").linears, 3U);
}

TEST(Inspect, MixedModelOfTheLibrary) {
  const auto result = inspected(kQuantized + "llama-rope3-w4a4-w8a8");
  EXPECT_EQ(result.format, "compressed-tensors");
  EXPECT_THAT(result.refusals, IsEmpty());
  EXPECT_EQ(result.schemes.at("w4a4").linears, 10U);
  EXPECT_EQ(result.schemes.at("w4a4").tensors, 30U);
  EXPECT_EQ(result.schemes.at("w8a8").linears, 4U);
  EXPECT_EQ(result.schemes.at("w8a8").tensors, 8U);
  EXPECT_EQ(result.schemes.at("bf16").linears, 1U);  // lm_head: this model is untied
  expect_sums(result);
  const auto down = std::ranges::find(result.linears, "model.layers.*.mlp.down_proj", &LinearKind::name);
  ASSERT_NE(down, result.linears.end());
  EXPECT_EQ(down->scheme, "w8a8");
  EXPECT_EQ(down->out, 96);
  EXPECT_EQ(down->in, 160);
  EXPECT_EQ(down->layers, "0-1");
}

TEST(Inspect, OwnOutputAndItsPackedSize) {
  const formats::TestDirectory output;
  QuantizeOptions options{.model_path = kModels + "llama-sharded",
                          .output = output.path(),
                          .scheme = "w4a4",
                          .group_size = {},
                          .storage = {},
                          .ignore = {".*layers\\.0\\..*"},
                          .force = false,
                          .threads = 1};
  const auto summary = quantize_directory(options);
  ASSERT_TRUE(summary.has_value()) << summary.error().message();
  const auto result = inspected(output.path());
  EXPECT_EQ(result.schemes.at("w4a4").bytes, summary->linear_bytes);
  EXPECT_EQ(result.total_bytes, summary->total_bytes);
  expect_sums(result);
  const auto text = to_text(result);
  EXPECT_THAT(text, HasSubstr("refusals      none"));
  EXPECT_THAT(text, HasSubstr("model.layers.*.mlp.up_proj"));
}

TEST(Inspect, PlanCountsPaddedTiles) {
  const formats::TestDirectory output;
  QuantizeOptions options{.model_path = kModels + "qwen3",
                          .output = output.path(),
                          .scheme = "w8a8",
                          .group_size = {},
                          .storage = {},
                          .ignore = {},
                          .force = false,
                          .threads = 1};
  ASSERT_TRUE(quantize_directory(options).has_value());
  const auto before = inspected(kModels + "qwen3").plan.packed_bytes;
  const auto after = inspected(output.path()).plan.packed_bytes;
  // Two layers of q [192,96] k,v [96,96] o [96,192] gate,up [128,96] down [96,128]: bf16 in pairs; int8 with
  // the columns padded to 64, and a float scale per row.
  const uint64_t elements = 2 * (192 * 96 + 2 * 96 * 96 + 96 * 192 + 3 * 128 * 96);
  const uint64_t padded = 2 * (192 * 128 + 2 * 96 * 128 + 96 * 192 + 2 * 128 * 128 + 96 * 128);
  const uint64_t rows = 2 * (192 + 96 + 96 + 96 + 128 + 128 + 96);
  EXPECT_EQ(before - after, 2 * elements - padded - 4 * rows);
}

TEST(Inspect, JsonHasTheKeysThatToolsRead) {
  const auto json = to_json(inspected(kQuantized + "qwen3-w4a4-g32"));
  for (const char* key : {"architecture", "format", "schemes", "total_bytes", "plan", "refusals"})
    EXPECT_TRUE(json.contains(key)) << key;
  for (const char* key : {"linears", "tensors", "bytes"})
    EXPECT_TRUE(json["schemes"]["w4a4-g32"].contains(key)) << key;
  for (const char* key : {"packed_bytes", "largest_tensor_bytes", "peak_bytes"})
    EXPECT_TRUE(json["plan"].contains(key)) << key;
}

/// The plan against what loading finds. Two things only the data tell: biases folded into other tensors,
/// matrices of transforms. Those are under 10 % even of these models.
TEST(Inspect, ThePlanIsTheResult) {
  const std::string slim = TESSERA_SOURCE_DIR "/tests/golden/modelslim/";
  for (const std::string& directory :
       {kModels + "llama", kModels + "qwen2", kModels + "qwen3-moe", kQuantized + "qwen3-w8a8",
        kQuantized + "qwen3-w4a4-g32", kQuantized + "llama-rope3-w4a4-w8a8", slim + "qwen3-w4a4-w8a8",
        slim + "qwen3-moe-v0", slim + "qwen3-static", slim + "qwen3-flatquant"}) {
    SCOPED_TRACE(directory);
    const auto planned = inspected(directory).plan.packed_bytes;
    models::LoadOptions options;
    options.model_path = directory;
    options.threads = 1;
    const auto model = models::Model::load(options);
    ASSERT_TRUE(model.has_value()) << model.error().message();
    const auto found = static_cast<uint64_t>((*model)->report().packed_bytes);
    const bool in_data =
        directory.ends_with("static") || directory.ends_with("flatquant") || directory.ends_with("v0");
    EXPECT_LE(planned, found);
    EXPECT_GE(planned, in_data ? found - found / 10 : found);
  }
}

/// A copy of a golden directory whose config.json is changed.
std::vector<std::string> refusals_after(const std::function<void(nlohmann::json&)>& change) {
  const formats::TestDirectory copy;
  const std::string original = kQuantized + "qwen3-w8a8";
  std::filesystem::copy_file(original + "/model.safetensors", copy.path() + "/model.safetensors");
  auto config = formats::open_model_dir(original)->config;
  change(config);
  copy.write("config.json", config.dump());
  const auto result = inspected(copy.path());
  expect_sums(result);
  return result.refusals;
}

TEST(Inspect, RefusalsAreListed) {
  EXPECT_THAT(refusals_after([](auto&) {}), IsEmpty());
  EXPECT_THAT(refusals_after([](auto& c) { c["quantization_config"]["quant_method"] = "hqq"; }),
              testing::ElementsAre(HasSubstr("quant_method=\"hqq\"")));
  const auto misfits = refusals_after([](auto& c) {
    auto& weights = c["quantization_config"]["config_groups"]["group_0"]["weights"];
    weights["strategy"] = "group";
    weights["group_size"] = 32;
  });
  EXPECT_EQ(misfits.size(), 14U);
  EXPECT_THAT(misfits, testing::Each(HasSubstr("weight_scale is")));
}

TEST(Inspect, WhatTheArchitectureRefusesIsListedToo) {
  EXPECT_THAT(refusals_after([](auto& c) { c["architectures"] = {"MambaForCausalLM"}; }),
              testing::ElementsAre(HasSubstr("MambaForCausalLM")));
  EXPECT_THAT(
      refusals_after([](auto& c) { c["num_hidden_layers"] = 1; }),
      testing::Contains(HasSubstr("model.layers.1.mlp.down_proj.weight: in the checkpoint, but nothing")));
}

TEST(Inspect, BrokenDirectoriesAreErrors) {
  const formats::TestDirectory empty;
  EXPECT_FALSE(inspect_directory(empty.path()).has_value());
  empty.write("config.json", "{}");
  EXPECT_FALSE(inspect_directory(empty.path()).has_value());
  EXPECT_FALSE(inspect_directory(empty.path() + "/absent").has_value());
}

}  // namespace
}  // namespace tessera::compress
