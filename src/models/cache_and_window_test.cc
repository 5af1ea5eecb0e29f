// The KV cache's types and the windows of layers, from options and config.json to logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/config_fields.h"
#include "models/golden_support.h"
#include "models/model.h"

namespace tessera::models {
namespace {

std::unique_ptr<Model> load(const std::string& golden, const std::string& cache, int threads = 2) {
  LoadOptions options;
  options.model_path = golden_dir(golden);
  options.kv_cache_dtype = cache;
  options.threads = threads;
  auto model = Model::load(options);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
  return model ? std::move(*model) : nullptr;
}

class Int8Cache : public testing::TestWithParam<std::string> {};

/// Twice what bf16 alone is allowed: 7 bits and a sign per head are about as coarse as bf16's 8.
TEST_P(Int8Cache, LogitsStayClose) {
  const auto model = load(GetParam(), "int8");
  ASSERT_NE(model, nullptr);
  double kl = 0, rows = 0;
  for (const Sequence& golden : golden_sequences(golden_dir(GetParam()))) {
    kl += compare_rows(run_alone(*model, golden.ids), golden.logits, golden.ids.size()).kl_sum;
    rows += static_cast<double>(golden.ids.size());
  }
  EXPECT_LE(kl / rows, 2e-3);
  EXPECT_GT(kl, 0);
  RecordProperty("mean_kl", std::to_string(kl / rows));
}

TEST_P(Int8Cache, ARowDoesNotDependOnItsNeighbours) {
  const auto model = load(GetParam(), "int8"), one_thread = load(GetParam(), "int8", 1);
  ASSERT_TRUE(model != nullptr && one_thread != nullptr);
  const auto goldens = golden_sequences(golden_dir(GetParam()));
  const auto together = run_together(*model, goldens);
  for (size_t i = 0; i < goldens.size(); ++i) {
    const auto alone = run_alone(*model, goldens[i].ids);
    EXPECT_EQ(alone, together[i]) << "in one batch, sequence " << i;
    EXPECT_EQ(alone, run_in_chunks(*model, goldens[i].ids, 7)) << "in chunks of 7, sequence " << i;
    EXPECT_EQ(alone, run_alone(*one_thread, goldens[i].ids)) << "one thread, sequence " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Int8Cache,
                         testing::Values("llama", "qwen2", "qwen2-window", "qwen3", "qwen3-moe"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(CacheType, Int8PagesAreSmallerAndOtherNamesAreRefused) {
  const auto int8 = load("qwen3", "int8"), bf16 = load("qwen3", "bf16");
  ASSERT_TRUE(int8 != nullptr && bf16 != nullptr);
  // head_dim 32: 32 codes and a scale against 64 bytes.
  EXPECT_EQ(int8->page_bytes(64) * 64, bf16->page_bytes(64) * 36);
  LoadOptions options;
  options.model_path = golden_dir("qwen3");
  options.kv_cache_dtype = "fp4";
  const auto refused = Model::load(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message(), "--kv-cache-dtype fp4: expected auto, bf16 or int8");
}

nlohmann::json config(const nlohmann::json& more) {
  nlohmann::json json = {{"vocab_size", 10},       {"hidden_size", 64},        {"intermediate_size", 64},
                         {"num_hidden_layers", 4}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
                         {"sliding_window", 4096}};
  if (!more.is_null()) json.update(more);
  return json;
}

std::vector<int32_t> windows_of(const nlohmann::json& more) {
  const nlohmann::json json = config(more);
  const auto parsed = parse_decoder(ConfigFields(json));
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().message());
  return parsed ? parsed->windows : std::vector<int32_t>();
}

std::string refusal_of(const nlohmann::json& more) {
  const nlohmann::json json = config(more);
  const auto parsed = parse_decoder(ConfigFields(json));
  return parsed ? "accepted" : std::string(parsed.error().message());
}

TEST(Windows, AsTransformersReadsThem) {
  EXPECT_EQ(windows_of({}), std::vector<int32_t>());
  EXPECT_EQ(windows_of({{"use_sliding_window", false}, {"layer_types", {"full_attention"}}}),
            std::vector<int32_t>());
  EXPECT_EQ(windows_of({{"use_sliding_window", true}}), std::vector<int32_t>({0, 0, 0, 0}));
  EXPECT_EQ(windows_of({{"use_sliding_window", true}, {"max_window_layers", 2}, {"sliding_window", 7}}),
            std::vector<int32_t>({0, 0, 7, 7}));
  const nlohmann::json types = {"sliding_attention", "full_attention", "sliding_attention", "full_attention"};
  EXPECT_EQ(windows_of({{"use_sliding_window", true}, {"layer_types", types}}),
            std::vector<int32_t>({4096, 0, 4096, 0}));
}

TEST(Windows, WhatCannotBeMeantIsRefused) {
  EXPECT_EQ(
      refusal_of({{"layer_types", {"sliding_attention"}}}),
      "layer_types: layer 0 is \"sliding_attention\" with use_sliding_window=false, expected full_attention");
  EXPECT_EQ(
      refusal_of({{"use_sliding_window", true}, {"layer_types", {"full_attention", "linear_attention"}}}),
      "layer_types: layer 1 is \"linear_attention\" with use_sliding_window=true, expected full_attention or "
      "sliding_attention");
  EXPECT_EQ(refusal_of({{"use_sliding_window", true}, {"layer_types", {"full_attention"}}}),
            "layer_types has 1 entries, expected num_hidden_layers=4");
  EXPECT_EQ(refusal_of({{"use_sliding_window", true}, {"sliding_window", 0}}),
            "sliding_window=0, expected an integer from 1 to 67108864");
  EXPECT_EQ(refusal_of({{"layer_types", 3}}), "layer_types=3, expected a list of strings");
}

}  // namespace
}  // namespace tessera::models
