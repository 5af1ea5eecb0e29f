#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/tensor_source.h"
#include "formats/test_directory.h"

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

const std::string kModel = TESSERA_SOURCE_DIR "/tests/golden/models/llama";

class TinyModel : public testing::Test {
 protected:
  void SetUp() override {
    models::LoadOptions options;
    options.model_path = kModel;
    options.dtype = "float32";
    options.threads = 2;
    auto loaded = models::Model::load(options);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    model_ = std::move(*loaded);
    for (int32_t at = 0; at < 100; ++at)
      ids_.push_back((at * 37 + 11) % 512);
  }
  Result<Perplexity> measure(size_t tokens, int32_t context) {
    return measure_perplexity(*model_, std::span(ids_).first(tokens), context, context);
  }
  /// Summed loss of the tokens begin + 1 .. end - 1, each after all from `begin` on.
  double loss(size_t begin, size_t end) {
    const auto length = static_cast<int32_t>(end - begin);
    const auto part =
        measure_perplexity(*model_, std::span(ids_).subspan(begin, end - begin), length, length);
    EXPECT_TRUE(part.has_value());
    return part ? part->mean_nll * static_cast<double>(part->tokens) : 0;
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
  const auto second = measure_perplexity(*model_, std::span(ids_).last(50), 50, 50);
  ASSERT_TRUE(second.has_value());
  EXPECT_NEAR(whole->mean_nll, (first->mean_nll + second->mean_nll) / 2, 1e-9);
  EXPECT_NEAR(whole->perplexity, std::exp(whole->mean_nll), 1e-9);
}

TEST_F(TinyModel, AShortLastWindowCounts) {
  EXPECT_EQ(measure(100, 64)->tokens, 98);
  EXPECT_EQ(measure(65, 64)->tokens, 63) << "a window of one token predicts nothing";
}

TEST_F(TinyModel, OverlappingWindowsPredictEachTokenOnce) {
  const auto overlapping = measure_perplexity(*model_, ids_, 50, 25);
  ASSERT_TRUE(overlapping.has_value()) << overlapping.error().message();
  EXPECT_EQ(overlapping->tokens, 99);
  const double expected = loss(0, 50) + (loss(25, 75) - loss(25, 50)) + (loss(50, 100) - loss(50, 75));
  EXPECT_NEAR(overlapping->mean_nll, expected / 99, 1e-6);
}

// golden.safetensors has transformers' logits in float32 of 96 tokens. The reader opens directories: it gets
// one in which the golden is the model.
TEST_F(TinyModel, IsWhatTransformersFinds) {
  const formats::TestDirectory copy;
  std::filesystem::copy_file(kModel + "/golden.safetensors", copy.path() + "/model.safetensors");
  const auto golden = formats::open_safetensors_dir(copy.path());
  ASSERT_TRUE(golden.has_value()) << golden.error().message();
  const auto wide = (*golden)->read("input_ids_2"), logits = (*golden)->read("logits_2");
  ASSERT_TRUE(wide.has_value() && logits.has_value());
  const std::vector<int32_t> ids(wide->as<int64_t>().begin(), wide->as<int64_t>().end());
  ASSERT_EQ(ids.size(), 96U);
  const size_t vocab = logits->as<float>().size() / ids.size();
  double total = 0;
  for (size_t at = 1; at < ids.size(); ++at)
    total += negative_log_probability(logits->as<float>().subspan((at - 1) * vocab, vocab), ids[at]);
  const auto found = measure_perplexity(*model_, ids, 256, 256);
  ASSERT_TRUE(found.has_value()) << found.error().message();
  EXPECT_EQ(found->tokens, 95);
  EXPECT_NEAR(found->perplexity / std::exp(total / 95), 1, 1e-3);
}

TEST_F(TinyModel, RefusesWhatItCannotMeasure) {
  EXPECT_FALSE(measure_perplexity(*model_, ids_, 50, 0).has_value());
  EXPECT_FALSE(measure_perplexity(*model_, ids_, 50, 51).has_value());
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
