#include "formats/compressed_tensors/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "formats/compressed_tensors/targets.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

// As llm-compressor writes it: every key, most of them null.
const json kW8A8 = json::parse(R"({
  "config_groups": {"group_0": {
      "format": "int-quantized",
      "input_activations": {"actorder": null, "block_structure": null, "dynamic": true, "group_size": null, "num_bits": 8,
        "observer": null, "observer_kwargs": {}, "scale_dtype": null, "strategy": "token", "symmetric": true,
        "type": "int", "zp_dtype": null},
      "output_activations": null, "targets": ["Linear"],
      "weights": {"actorder": null, "block_structure": null, "dynamic": false, "group_size": null, "num_bits": 8,
        "observer": "memoryless_minmax", "observer_kwargs": {}, "scale_dtype": null, "strategy": "channel",
        "symmetric": true, "type": "int", "zp_dtype": null}}},
  "format": "int-quantized", "global_compression_ratio": null, "ignore": ["lm_head"], "kv_cache_scheme": null,
  "quant_method": "compressed-tensors", "quantization_status": "compressed", "sparsity_config": {},
  "transform_config": {}, "version": "0.18.0"})");

json with(const char* pointer, json value) {
  json config = kW8A8;
  config[json::json_pointer(pointer)] = std::move(value);
  return config;
}

std::string error_of(const json& config) {
  const auto parsed = parse_config(config);
  return parsed.has_value() ? "" : parsed.error().message();
}

TEST(CompressedTensorsConfig, ReadsWhatTheLibraryWrites) {
  const auto config = parse_config(kW8A8);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_THAT(unsupported_features(*config), IsEmpty());
  ASSERT_EQ(config->groups.size(), 1U);
  const auto scheme = scheme_of(config->groups[0]);
  EXPECT_EQ(scheme.name(), "w8a8");
  EXPECT_EQ(scheme.activation.rule, quant::ActivationRule::kAbsmax);
  EXPECT_EQ(config->ignore, std::vector<std::string>{"lm_head"});
}

TEST(CompressedTensorsConfig, PresetsByName) {
  const std::pair<const char*, const char*> expected[] = {
      {"W8A8", "w8a8"},         {"INT8", "w8a8"},
      {"W4A4", "w4a4-g128"},    {"W4A8", "w4a8-g128"},
      {"W4A16", "w4a16-g128"},  {"W8A16", "w8a16-g128"},
      {"w3a16", "w4a16-g128"},  {"W6A8", "w8a8-g128"},
      {"FP8", "bf16"},          {"FP8_DYNAMIC", "bf16"},
      {"FP8_BLOCK", "bf16"},    {"NVFP4", "bf16"},
      {"MXFP4A16", "bf16"},     {"MXFP8", "bf16"},
      {"W4AFP8", "w4a16-g128"}, {"W4A16_ASYM", "w4a16-g128-asym"}};
  for (const auto& [preset, name] : expected) {
    const auto config =
        parse_config({{"config_groups", {{preset, {"Linear"}}}}, {"format", "pack-quantized"}});
    ASSERT_TRUE(config.has_value()) << config.error().message();
    EXPECT_THAT(unsupported_features(*config), IsEmpty());
    EXPECT_EQ(scheme_of(config->groups[0]).name(), name);
    EXPECT_EQ(config->groups[0].targets, std::vector<std::string>{"Linear"});
  }
  EXPECT_THAT(error_of({{"config_groups", {{"W9A9", {"Linear"}}}}}), HasSubstr("W9A9"));
  EXPECT_FALSE(preset("W8A4").has_value());
  EXPECT_FALSE(preset("W1A16").has_value());
}

TEST(CompressedTensorsConfig, Int4ActivationsUseAllCodes) {
  const auto config = parse_config(with("/config_groups/group_0/input_activations/num_bits", 4));
  EXPECT_EQ(scheme_of(config->groups[0]).activation.rule, quant::ActivationRule::kTwoSided);
  EXPECT_EQ(scheme_of(config->groups[0]).activation.bits, 4);
}

TEST(CompressedTensorsConfig, ClipRatioOfInputsSurvivesWriting) {
  const auto config = parse_config(
      with("/config_groups/group_0/input_activations/observer_kwargs", {{"clip_ratio", 0.8}, {"grid", 20}}));
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(scheme_of(config->groups[0]).activation.clip_ratio, 0.8F);
  EXPECT_EQ(scheme_of(parse_config(to_json(*config))->groups[0]).activation.clip_ratio, 0.8F);
  EXPECT_EQ(scheme_of(parse_config(kW8A8)->groups[0]).activation.clip_ratio, 1.0F);
}

TEST(CompressedTensorsConfig, StrategyIsInferredFromTheGroupSize) {
  json config = kW8A8;
  auto& weights = config["config_groups"]["group_0"]["weights"];
  const std::pair<json, const char*> expected[] = {{nullptr, "tensor"}, {-1, "channel"}, {64, "group"}};
  weights["strategy"] = nullptr;
  for (const auto& [size, strategy] : expected) {
    weights["group_size"] = size;
    const auto parsed = parse_config(config);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    EXPECT_EQ(parsed->groups[0].weights->strategy, strategy);
  }
}

TEST(CompressedTensorsConfig, OldKeyName) {
  EXPECT_NE(find_config({{"compression_config", kW8A8}}), nullptr);
  EXPECT_NE(find_config({{"quantization_config", kW8A8}}), nullptr);
  EXPECT_EQ(find_config({{"quantization_config", nullptr}}), nullptr);
  EXPECT_EQ(find_config({{"hidden_size", 1}}), nullptr);
}

TEST(CompressedTensorsConfig, MalformedFilesNameKeyValueAndExpectation) {
  const std::pair<json, const char*> cases[] = {
      {with("/config_groups/group_0/surprise", 1), "key \"surprise\" is unknown"},
      {with("/config_groups/group_0/weights/surprise", 1), "key \"surprise\" is unknown"},
      {with("/config_groups/group_0/weights/num_bits", "8"), "weights.num_bits=\"8\", expected an integer"},
      {with("/config_groups/group_0/weights/num_bits", 99), "num_bits=99"},
      {with("/config_groups/group_0/weights/num_bits", 1e300), "expected an integer"},
      {with("/config_groups/group_0/weights/type", "complex"), "type=\"complex\""},
      {with("/config_groups/group_0/weights/strategy", "stripe"), "strategy=\"stripe\""},
      {with("/config_groups/group_0/weights/strategy", "group"), "group_size=null, expected a positive"},
      {with("/config_groups/group_0/weights/group_size", 32), "group_size=32, expected null"},
      {with("/config_groups/group_0/weights/group_size", -2), "group_size=-2"},
      {with("/config_groups/group_0/weights/dynamic", "yes"), "dynamic=\"yes\""},
      {with("/config_groups/group_0/weights/symmetric", 1), "symmetric=1"},
      {with("/config_groups/group_0/input_activations/dynamic", false),
       "dynamic=false, expected true with strategy token"},
      {with("/config_groups/group_0/input_activations/observer_kwargs", {{"clip_ratio", 0}}),
       "observer_kwargs={\"clip_ratio\":0}, expected a clip_ratio above 0"},
      {with("/config_groups/group_0/input_activations/observer_kwargs", {{"clip_ratio", "1"}}),
       "clip_ratio above 0"},
      {with("/config_groups/group_0/targets", "Linear"), "targets=\"Linear\", expected a list"},
      {with("/config_groups/group_0/targets", json::array()), "targets=[]"},
      {with("/config_groups/group_0/weights", 8), "weights=8, expected an object"},
      {with("/config_groups/group_0/format", "mixed-precision"), "format=\"mixed-precision\""},
      {with("/config_groups", json::array()), "config_groups=[]"},
      {with("/ignore", "lm_head"), "ignore=\"lm_head\""},
      {json(3), "quantization_config=3, expected an object"}};
  for (const auto& [config, message] : cases)
    EXPECT_THAT(error_of(config), HasSubstr(message));
}

TEST(CompressedTensorsConfig, EverythingUnsupportedIsNamedAtOnce) {
  json config = kW8A8;
  config["kv_cache_scheme"] = {{"num_bits", 4}};
  const json online = {{"targets", "Linear"}, {"location", "input"}};
  config["transform_config"]["config_groups"]["R"] = {
      {"type", "hadamard"}, {"randomize", true}, {"apply", {online}}};
  config["sparsity_config"] = {{"format", "sparse-24-bitmask"}};
  config["config_groups"]["group_0"]["weights"]["num_bits"] = 12;
  config["config_groups"]["group_0"]["input_activations"]["num_bits"] = 6;
  config["config_groups"]["group_0"]["format"] = "marlin-24";
  const auto problems = unsupported_features(*parse_config(config));
  EXPECT_THAT(problems,
              testing::UnorderedElementsAre("kv_cache_scheme of 4-bit int, strategy \"tensor\"",
                                            "transform_config.R: \"randomize\"", "sparsity_config",
                                            "group_0: format \"marlin-24\"", "group_0.weights: 12-bit int",
                                            "group_0.input_activations: 6-bit int"));
}

TEST(CompressedTensorsConfig, UnsupportedArgumentsAreNamed) {
  const std::pair<json, const char*> cases[] = {
      {with("/config_groups/group_0/weights/num_bits", 9), "9-bit int"},
      {with("/config_groups/group_0/weights/strategy", "attn_head"), "strategy \"attn_head\""},
      {with("/config_groups/group_0/weights/dynamic", true), "dynamic weights"},
      {with("/config_groups/group_0/weights/type", "float"), "inputs quantized to integers of float weights"},
      {with("/config_groups/group_0/input_activations/symmetric", false), "input_activations: asymmetric"},
      {with("/config_groups/group_0/input_activations/strategy", "tensor"), "dynamic strategy \"tensor\""},
      {with("/config_groups/group_0/output_activations", kW8A8["config_groups"]["group_0"]["weights"]),
       "output_activations"},
      {with("/config_groups/group_0/weights", nullptr), "inputs quantized to integers of float weights"}};
  for (const auto& [config, message] : cases) {
    const auto parsed = parse_config(config);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    const auto problems = unsupported_features(*parsed);
    ASSERT_EQ(problems.size(), 1U) << message;
    EXPECT_THAT(problems[0], HasSubstr(message));
  }
}

TEST(CompressedTensorsConfig, WhatRunsInAnotherWayIsSaid) {
  json config = with("/config_groups/group_0/input_activations/type", "float");
  EXPECT_THAT(
      remarks(*parse_config(config)),
      testing::ElementsAre("group_0: 8-bit float inputs are not quantized, the weights stay 8-bit integers"));
  config["config_groups"]["group_0"]["weights"]["type"] = "float";
  config["kv_cache_scheme"] = {{"num_bits", 8}, {"type", "float"}};
  EXPECT_THAT(unsupported_features(*parse_config(config)), IsEmpty());
  EXPECT_THAT(
      remarks(*parse_config(config)),
      testing::ElementsAre("kv_cache_scheme (8-bit float) is not applied: the KV cache stays bf16",
                           "group_0: 8-bit float weights are dequantized and run as bf16, its inputs are "
                           "not quantized"));
  EXPECT_THAT(remarks(*parse_config(kW8A8)), IsEmpty());
}

TEST(CompressedTensorsConfig, BlocksInBothForms) {
  for (const json& form : {json({16, 128}), json("16x128")}) {
    json config = with("/config_groups/group_0/weights/strategy", "block");
    config["config_groups"]["group_0"]["weights"]["block_structure"] = form;
    const auto parsed = parse_config(config);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
    const WeightCoding coding = coding_of(parsed->groups[0]);
    EXPECT_EQ(coding.block_rows, 16);
    EXPECT_EQ(coding.block_columns, 128);
  }
  for (const json& form : {json(nullptr), json("16x"), json("x128"), json("16x128x"), json({0, 128}),
                           json({16}), json("99999999999x1"), json({1.5, 2})}) {
    json config = with("/config_groups/group_0/weights/strategy", "block");
    config["config_groups"]["group_0"]["weights"]["block_structure"] = form;
    EXPECT_THAT(error_of(config), HasSubstr("block_structure=")) << form;
  }
}

TEST(CompressedTensorsConfig, ActivationsPerGroupAndStatic) {
  json config = with("/config_groups/group_0/input_activations/strategy", "group");
  config["config_groups"]["group_0"]["input_activations"]["group_size"] = 64;
  EXPECT_EQ(scheme_of(parse_config(config)->groups[0]).name(), "w8a8-xg64");
  config = with("/config_groups/group_0/input_activations/strategy", "tensor");
  config["config_groups"]["group_0"]["input_activations"]["dynamic"] = false;
  config["config_groups"]["group_0"]["input_activations"]["symmetric"] = false;
  EXPECT_THAT(unsupported_features(*parse_config(config)), IsEmpty());
  EXPECT_EQ(scheme_of(parse_config(config)->groups[0]).name(), "w8a8-static");
}

TEST(CompressedTensorsConfig, WrittenConfigReadsBackTheSame) {
  const auto first = parse_config(kW8A8);
  const auto second = parse_config(to_json(*first));
  ASSERT_TRUE(second.has_value()) << second.error().message();
  EXPECT_EQ(second->format, first->format);
  EXPECT_EQ(second->version, first->version);
  EXPECT_EQ(second->ignore, first->ignore);
  EXPECT_EQ(second->groups[0].weights, first->groups[0].weights);
  EXPECT_EQ(second->groups[0].input_activations, first->groups[0].input_activations);
  EXPECT_EQ(second->groups[0].targets, first->groups[0].targets);
}

QuantizationConfig with_targets(std::vector<std::vector<std::string>> targets,
                                std::vector<std::string> ignore = {}) {
  QuantizationConfig config;
  for (auto& list : targets)
    config.groups.push_back({.name = fmt::format("group_{}", config.groups.size()), .targets = list});
  config.ignore = std::move(ignore);
  return config;
}

std::optional<size_t> group_of(const QuantizationConfig& config, std::string_view name,
                               ModuleKind kind = ModuleKind::kLinear) {
  return TargetMatcher::create(config)->group_of(name, kind);
}

TEST(CompressedTensorsTargets, ExactBeatsRegexBeatsClass) {
  const auto config = with_targets({{"Linear"}, {"re:.*proj$"}, {"model.layers.0.self_attn.q_proj"}});
  EXPECT_EQ(group_of(config, "model.layers.0.self_attn.q_proj"), 2U);
  EXPECT_EQ(group_of(config, "model.layers.1.self_attn.q_proj"), 1U);
  EXPECT_EQ(group_of(config, "lm_head"), 0U);
  EXPECT_EQ(group_of(config, "model.embed_tokens", ModuleKind::kEmbedding), std::nullopt);
}

TEST(CompressedTensorsTargets, RegexesInAlphabeticalOrderNotTheFiles) {
  const auto config = with_targets({{"re:b.*"}, {"re:[ab].*"}});
  EXPECT_EQ(group_of(config, "b.c"), 1U);  // '[' sorts before 'b'
}

TEST(CompressedTensorsTargets, LaterGroupWinsTheSameTarget) {
  EXPECT_EQ(group_of(with_targets({{"Linear"}, {"Linear"}}), "x"), 1U);
}

TEST(CompressedTensorsTargets, IgnoreBeatsEverything) {
  const auto config = with_targets({{"lm_head", "a.b", "Linear"}}, {"lm_head", "re:.*mlp.gate$"});
  EXPECT_EQ(group_of(config, "lm_head"), std::nullopt);
  EXPECT_EQ(group_of(config, "model.layers.3.mlp.gate"), std::nullopt);
  EXPECT_EQ(group_of(config, "model.layers.3.mlp.gate_proj"), 0U);
  EXPECT_EQ(group_of(with_targets({{"re:.*"}}, {"Linear"}), "x"), std::nullopt);
}

TEST(CompressedTensorsTargets, RegexIsAnchoredAtTheStartOnly) {
  const auto config = with_targets({{"re:layers\\.\\d+\\.mlp"}});
  EXPECT_EQ(group_of(config, "layers.12.mlp.down_proj"), 0U);
  EXPECT_EQ(group_of(config, "model.layers.12.mlp"), std::nullopt);
  EXPECT_EQ(group_of(with_targets({{"re:(?!.*lm_head).*"}}), "model.lm_head"), std::nullopt);
  EXPECT_EQ(group_of(with_targets({{"re:(?!.*lm_head).*"}}), "model.x"), 0U);
}

TEST(CompressedTensorsTargets, HostileRegexes) {
  EXPECT_FALSE(NamePattern::compile("(").has_value());
  EXPECT_FALSE(NamePattern::compile("(?P<name>x)").has_value());
  EXPECT_FALSE(NamePattern::compile(std::string(NamePattern::kMaxLength + 1, 'a')).has_value());
  EXPECT_FALSE(NamePattern::compile("((((a{1000}){1000}){1000}){1000})").has_value());
  EXPECT_FALSE(NamePattern::compile(R"((a*)\1)").has_value());
  EXPECT_FALSE(NamePattern::compile("a{9223372036854775808}").has_value());
  // Exponential in a matcher that backtracks; the test's own time limit would tell.
  const auto slow = NamePattern::compile("(a*)*(a*)*(a*)*b$");
  ASSERT_TRUE(slow.has_value()) << slow.error().message();
  EXPECT_FALSE(slow->matches(std::string(1000, 'a')));
  EXPECT_FALSE(slow->matches(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace tessera::formats::compressed_tensors
