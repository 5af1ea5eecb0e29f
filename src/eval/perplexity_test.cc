#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tessera::eval {
namespace {

TEST(NegativeLogProbability, OfEqualLogitsIsTheLogOfTheirNumber) {
  const std::vector<float> logits(1000, 700.0F);  // exp(700) alone overflows a sum in float
  EXPECT_NEAR(negative_log_probability(logits, 3), std::log(1000.0), 1e-12);
}

TEST(NegativeLogProbability, IsSoftmax) {
  const std::vector<float> logits = {0.0F, 1.0F, -2.0F};
  const double sum = 1 + std::exp(1.0) + std::exp(-2.0);
  EXPECT_NEAR(negative_log_probability(logits, 0), std::log(sum), 1e-12);
  EXPECT_NEAR(negative_log_probability(logits, 2), std::log(sum) + 2, 1e-12);
}

class TinyModel : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = models::Model::load({.model_path = TESSERA_SOURCE_DIR "/tests/golden/models/llama",
                                       .dtype = "float32",
                                       .quantization = "",
                                       .threads = 2});
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    model_ = std::move(*loaded);
    for (int32_t at = 0; at < 100; ++at)
      ids_.push_back((at * 37 + 11) % 512);
  }
  Result<Perplexity> measure(size_t tokens, int32_t context) {
    return measure_perplexity(*model_, std::span(ids_).first(tokens), context);
  }
  std::unique_ptr<models::Model> model_;
  std::vector<int32_t> ids_;
};

TEST_F(TinyModel, WindowsDoNotSeeEachOther) {
  const auto whole = measure(100, 50);
  ASSERT_TRUE(whole.has_value()) << whole.error().message();
  EXPECT_EQ(whole->tokens, 98);
  const auto first = measure(50, 50);
  ASSERT_TRUE(first.has_value());
  const auto second = measure_perplexity(*model_, std::span(ids_).last(50), 50);
  ASSERT_TRUE(second.has_value());
  EXPECT_NEAR(whole->mean_nll, (first->mean_nll + second->mean_nll) / 2, 1e-9);
  EXPECT_NEAR(whole->perplexity, std::exp(whole->mean_nll), 1e-9);
}

TEST_F(TinyModel, AShortLastWindowCounts) {
  EXPECT_EQ(measure(100, 64)->tokens, 98);
  EXPECT_EQ(measure(65, 64)->tokens, 63) << "a window of one token predicts nothing";
}

TEST_F(TinyModel, RefusesWhatItCannotMeasure) {
  EXPECT_FALSE(measure(1, 64).has_value());
  EXPECT_FALSE(measure(100, 1).has_value());
  EXPECT_FALSE(measure(100, 257).has_value()) << "longer than the model's context";
  ids_[5] = 512;
  const auto outside = measure(100, 64);
  ASSERT_FALSE(outside.has_value());
  EXPECT_NE(outside.error().message().find("512"), std::string::npos);
}

}  // namespace
}  // namespace tessera::eval
