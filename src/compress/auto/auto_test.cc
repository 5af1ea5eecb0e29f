#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "compress/auto/row_divergence.h"
#include "compress/auto/units.h"
#include "compress/quantize_test_support.h"
#include "formats/hf/model_dir.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Units, AreWhatEnginesFuse) {
  EXPECT_EQ(unit_of("model.layers.3.self_attn.k_proj"), "model.layers.3.self_attn.qkv_proj");
  EXPECT_EQ(unit_of("model.layers.3.self_attn.o_proj"), "model.layers.3.self_attn.o_proj");
  EXPECT_EQ(unit_of("model.layers.12.mlp.up_proj"), "model.layers.12.mlp.gate_up_proj");
  EXPECT_EQ(unit_of("model.layers.0.mlp.experts.17.down_proj"), "model.layers.0.mlp.experts");
  EXPECT_EQ(layer_of("model.layers.12.mlp.up_proj"), 12);
  EXPECT_EQ(layer_of("lm_head"), -1);
  EXPECT_THAT(unit_targets({"model.layers.2.self_attn.qkv_proj", "model.layers.10.self_attn.qkv_proj",
                            "model.layers.0.mlp.experts"}),
              ElementsAre(R"(re:.*layers\.(0)\.mlp\.experts\.[0-9]+\.(gate|up|down)_proj$)",
                          R"(re:.*layers\.(2|10)\.self_attn\.(q|k|v)_proj$)"));
}

TEST(Budget, HasUnits) {
  EXPECT_EQ(parse_budget("130MB")->amount, 130e6);
  EXPECT_EQ(parse_budget("1.5GiB")->amount, 1.5 * (1 << 30));
  EXPECT_EQ(parse_budget("77")->amount, 77);
  EXPECT_TRUE(parse_budget("5.5bpw")->is_bits_per_weight);
  for (const char* const bad : {"", "MB", "-3MB", "3 MB", "3Mb", "inf", "nan", "0"})
    EXPECT_FALSE(parse_budget(bad).has_value()) << bad;
}

std::vector<UnitCost> four_units() {
  return {{.name = "a", .low_bytes = 10, .high_bytes = 20, .weights = 20, .kl = 0.1},
          {.name = "b", .low_bytes = 10, .high_bytes = 20, .weights = 20, .kl = 0.4},
          {.name = "c", .low_bytes = 30, .high_bytes = 60, .weights = 60, .kl = 0.9},
          {.name = "d", .low_bytes = 5, .high_bytes = 5, .weights = 5, .kl = 0.01}};
}

std::string promoted(std::span<const UnitCost> units) {
  std::string names;
  for (const UnitCost& unit : units)
    names += unit.promoted ? unit.name : "";
  return names;
}

TEST(Choose, PromotesWhatGainsMostPerByteAndFits) {
  auto units = four_units();
  EXPECT_THAT(promotion_order(units), ElementsAre(3, 1, 2, 0));  // free, 0.04, 0.03, 0.01
  ASSERT_TRUE(promote_within(units, {.amount = 155}, 100).has_value());
  EXPECT_EQ(promoted(units), "d");
  ASSERT_TRUE(promote_within(units, {.amount = 176}, 100).has_value());
  EXPECT_EQ(promoted(units), "abd");  // c does not fit any more, a does
  ASSERT_TRUE(promote_within(units, {.amount = 1000}, 100).has_value());
  EXPECT_EQ(promoted(units), "abcd");
  // 105 weights: 8 bits are 105 bytes.
  ASSERT_TRUE(promote_within(units, {.amount = 8 * 95 / 105.0, .is_bits_per_weight = true}, 100).has_value());
  EXPECT_EQ(mixture_bytes(units, 0), 95U);
  const auto refused = promote_within(units, {.amount = 154}, 100);
  ASSERT_FALSE(refused.has_value());
  const auto curve = predicted_curve(units, 100);
  ASSERT_EQ(curve.size(), 5U);
  EXPECT_EQ(curve.front().bytes, 155U);
  EXPECT_NEAR(curve.front().kl, 1.41, 1e-12);
  EXPECT_EQ(curve.back().bytes, 205U);
  EXPECT_NEAR(curve.back().kl, 0, 1e-12);
}

TEST(RowDivergence, IsThatOfTwoDistributions) {
  std::vector<float> p, q;
  for (int i = 0; i < 307; ++i) {
    p.push_back(static_cast<float>(std::sin(i) * 5));
    q.push_back(static_cast<float>(std::sin(i * 1.1) * 4));
  }
  double sum_p = 0, sum_q = 0, expected = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    sum_p += std::exp(p[i]);
    sum_q += std::exp(q[i]);
  }
  for (size_t i = 0; i < p.size(); ++i)
    expected += std::exp(p[i]) / sum_p * ((p[i] - std::log(sum_p)) - (q[i] - std::log(sum_q)));
  RowDivergence divergence;
  ASSERT_TRUE(divergence.set_reference(p));
  EXPECT_NEAR(divergence.from(q), expected, 1e-5 * expected);
  EXPECT_NEAR(divergence.from(p), 0, 1e-6);
  q[5] = NAN;
  EXPECT_TRUE(std::isnan(divergence.from(q)));
  EXPECT_FALSE(divergence.set_reference(q));
}

QuantizeOptions auto_options(const std::string& model, const TestDirectory& directory,
                             const std::string& budget) {
  QuantizeOptions options = options_for(model, directory, "auto");
  options.automatic = AutoOptions{.budget = *parse_budget(budget), .sequences = 2};
  options.calibration.length = 64;
  return options;
}

TEST(AutoScheme, SpendsItsBudgetWhereItGainsMost) {
  for (const std::string model : {"qwen3", "qwen3-moe", "llama"}) {
    const TestDirectory directory;
    const auto options = auto_options(model, directory, "6bpw");
    const auto done = quantize_directory(options);
    ASSERT_TRUE(done.has_value()) << done.error().message();
    const AutoReport& report = *done->choice;
    EXPECT_EQ(report.tokens, 128);
    EXPECT_EQ(report.chosen.bytes, done->total_bytes) << model;
    double weights = 0;
    for (const UnitCost& unit : report.units) {
      weights += static_cast<double>(unit.weights);
      EXPECT_GT(unit.kl, 0) << unit.name;
    }
    EXPECT_LE(static_cast<double>(done->linear_bytes) * 8 / weights, 6) << model;
    // Promoting everything is nearer than the choice, and that is nearer than promoting nothing.
    EXPECT_LT(report.measured.back().kl, report.chosen.kl) << model;
    EXPECT_LT(report.chosen.kl, report.measured.front().kl) << model;
    EXPECT_THAT(done->schemes, ElementsAre("w4a4", "w8a8"));
    const auto quantized = load(options.output);
    ASSERT_TRUE(quantized.has_value()) << quantized.error().message();
    EXPECT_THAT((*quantized)->report().scheme, HasSubstr("w4a4+w8a8"));
  }
}

TEST(AutoScheme, MeasuresWhatTheCheckpointDoes) {
  // The mixture's KL, measured layer by layer, is that of the checkpoint that is written.
  const TestDirectory directory;
  const auto options = auto_options("qwen3", directory, "6bpw");
  const auto done = quantize_directory(options);
  ASSERT_TRUE(done.has_value()) << done.error().message();
  const auto text = read_calibration(options.model_path, {.file = {}, .sequences = 2, .length = 64}, 4096);
  models::LoadOptions exact;
  exact.threads = 2;
  exact.dtype = "float32";
  exact.model_path = options.model_path;
  const auto reference = models::Model::load(exact);
  exact.model_path = options.output;
  const auto quantized = models::Model::load(exact);
  ASSERT_TRUE(reference.has_value() && quantized.has_value());
  double total = 0;
  for (size_t begin = 0; begin < text->ids.size(); begin += 64) {
    const std::vector<int32_t> ids(text->ids.begin() + static_cast<ptrdiff_t>(begin),
                                   text->ids.begin() + static_cast<ptrdiff_t>(begin) + 64);
    const auto expected = logits_of(**reference, ids), found = logits_of(**quantized, ids);
    const size_t vocab = expected.size() / ids.size();
    for (size_t row = 0; row < ids.size(); ++row) {
      RowDivergence divergence;
      ASSERT_TRUE(divergence.set_reference(std::span(expected).subspan(row * vocab, vocab)));
      total += divergence.from(std::span(found).subspan(row * vocab, vocab));
    }
  }
  EXPECT_NEAR(done->choice->chosen.kl, total / static_cast<double>(text->ids.size()),
              1e-3 * done->choice->chosen.kl);
}

TEST(AutoScheme, MeetsATargetWithTheMixtureItself) {
  const TestDirectory directory;
  auto options = auto_options("qwen3", directory, "1bpw");
  options.automatic->budget = {};
  options.automatic->target_kl = 1e-9;
  const auto refused = quantize_directory(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("--target-kl=1e-09: w8a8 everywhere has"));
  options.automatic->target_kl = 1;
  options.force = true;
  const double worst = quantize_directory(options)->choice->measured.front().kl;
  options.automatic->target_kl = worst / 2;
  const auto done = quantize_directory(options);
  ASSERT_TRUE(done.has_value()) << done.error().message();
  EXPECT_LE(done->choice->chosen.kl, worst / 2);
  EXPECT_GT(done->choice->chosen.kl, done->choice->measured.back().kl);
}

TEST(AutoScheme, GoesTogetherWithGptqAndRotation) {
  const TestDirectory directory;
  auto options = auto_options("llama", directory, "6bpw");
  options.method = Method::kGptq;
  options.clip = quant::Clip::kLeastSquares;
  options.rotate = RotateOptions{.seed = 1, .online = true};
  options.calibration = {.file = {}, .sequences = 8, .length = 64};
  const auto done = quantize_directory(options);
  ASSERT_TRUE(done.has_value()) << done.error().message();
  const auto quantized = load(options.output);
  ASSERT_TRUE(quantized.has_value()) << quantized.error().message();
  EXPECT_THAT((*quantized)->report().scheme, HasSubstr("w8a8"));
}

TEST(AutoScheme, UsesAnEarlierMeasurementOfTheSameOptionsOnly) {
  const TestDirectory first, second, third;
  const auto options = auto_options("qwen3", first, "6bpw");
  const auto measured = quantize_directory(options);
  ASSERT_TRUE(measured.has_value()) << measured.error().message();
  auto again = auto_options("qwen3", second, "6bpw");
  again.automatic->sensitivity = first.path() + "/sensitivity.json";
  const auto done = quantize_directory(again);
  ASSERT_TRUE(done.has_value()) << done.error().message();
  for (size_t i = 0; i < done->choice->units.size(); ++i)
    EXPECT_EQ(done->choice->units[i].kl, measured->choice->units[i].kl);
  again.output = third.path();
  again.clip = quant::Clip::kLeastSquares;
  const auto refused = quantize_directory(again);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("sensitivity.json: settings"));
}

TEST(AutoScheme, EverythingOrNothingIsOneScheme) {
  const TestDirectory low, high;
  const auto nothing = quantize_directory(auto_options("llama", low, "4.8bpw"));
  const auto everything = quantize_directory(auto_options("llama", high, "9bpw"));
  ASSERT_TRUE(nothing.has_value()) << nothing.error().message();
  ASSERT_TRUE(everything.has_value()) << everything.error().message();
  EXPECT_THAT(everything->schemes, ElementsAre("w8a8"));
  const auto too_small = quantize_directory(auto_options("llama", low, "3bpw"));
  ASSERT_FALSE(too_small.has_value());
}

}  // namespace
}  // namespace tessera::compress
