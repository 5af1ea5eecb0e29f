#include "eval/kl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "eval/perplexity.h"

namespace tessera::eval {
namespace {

TEST(KlDivergence, OfTwoCoins) {
  // p = 1/2, 1/2; q = 1/4, 3/4.
  const std::vector<float> p = {5, 5}, q = {0, std::log(3.0F)};
  EXPECT_NEAR(kl_divergence(p, q), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-6);
  EXPECT_EQ(kl_divergence(q, q), 0);
}

class TwoModels : public testing::Test {
 protected:
  static std::unique_ptr<models::Model> load(const std::string& quantization,
                                             const std::string& name = "llama") {
    models::LoadOptions options;
    options.model_path = TESSERA_SOURCE_DIR "/tests/golden/models/" + name;
    options.dtype = "float32";
    options.quantization = quantization;
    options.threads = 2;
    auto loaded = models::Model::load(options);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message();
    return loaded ? std::move(*loaded) : nullptr;
  }
  void SetUp() override {
    for (int32_t at = 0; at < 250; ++at)
      ids_.push_back((at * 37 + 11) % 512);
  }
  std::vector<int32_t> ids_;
};

TEST_F(TwoModels, AModelDoesNotDivergeFromItself) {
  const auto model = load(""), same = load("");
  const auto found = measure_kl(*model, *same, ids_, 64, 32);
  ASSERT_TRUE(found.has_value()) << found.error().message();
  EXPECT_EQ(found->tokens.size(), 249U);
  EXPECT_LT(found->p99_kl, 1e-9);
  EXPECT_EQ(found->top1_agreement, 1);
}

TEST_F(TwoModels, FewerBitsDivergeMore) {
  const auto reference = load(""), eight = load("w8a8_int8"), four = load("w4a4_int4");
  const auto close = measure_kl(*eight, *reference, ids_, 100, 100);
  const auto far = measure_kl(*four, *reference, ids_, 100, 100);
  ASSERT_TRUE(close.has_value() && far.has_value());
  EXPECT_GT(close->mean_kl, 0);
  EXPECT_GT(far->mean_kl, 10 * close->mean_kl);
  EXPECT_GT(close->top1_agreement, far->top1_agreement);
  EXPECT_GT(far->p99_kl, far->mean_kl);
}

TEST_F(TwoModels, TheTableHasEveryToken) {
  const auto reference = load(""), model = load("w8a8_int8");
  const auto found = measure_kl(*model, *reference, std::span(ids_).first(4), 64, 64);
  ASSERT_TRUE(found.has_value());
  const std::string table = per_token_table(*found, ids_);
  EXPECT_TRUE(table.starts_with("position\ttoken\tkl\tsame_top\n1\t48\t")) << table;
  EXPECT_EQ(std::ranges::count(table, '\n'), 4);
}

TEST_F(TwoModels, RefusesAnotherVocabulary) {
  const auto reference = load("", "qwen3"), model = load("");
  const auto found = measure_kl(*model, *reference, ids_, 64, 64);
  ASSERT_FALSE(found.has_value());
  EXPECT_NE(found.error().message().find("vocabulary"), std::string::npos);
}

}  // namespace
}  // namespace tessera::eval
