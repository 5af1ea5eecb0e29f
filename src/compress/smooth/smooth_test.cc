// Scaling channels: the float model stays what it is, and what is rounded afterwards is nearer to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "compress/float_model_test_support.h"
#include "compress/smooth/channel_scales.h"
#include "compress/smooth/scaled_source.h"
#include "formats/weight_format.h"
#include "models/architecture.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::HasSubstr;

const CalibrationText kText{.file = {}, .sequences = 16, .length = 64};

/// A float model, open, and the scales that make its channels even.
struct OpenModel {
  explicit OpenModel(const std::string& path) {
    directory = *formats::open_model_dir(path);
    files = *formats::open_safetensors_dir(path);
    reader = *formats::open_weight_reader(directory.config, path, *files);
    config = *models::parse_model_config(directory.config);
    data = *read_calibration(path, kText, config.max_position);
  }
  std::vector<LinearToRound> linears() const {
    QuantizeOptions options;
    options.scheme = "w8a8";
    return linears_of_layers(*plan_quantization(*files, config.tied_embeddings, options));
  }

  formats::ModelDir directory;
  std::unique_ptr<formats::TensorSource> files;
  std::unique_ptr<formats::WeightReader> reader;
  models::ModelConfig config;
  CalibrationData data;
};

std::vector<ScaledFold> smooth_folds(const OpenModel& model, double alpha) {
  ThreadPool pool(2);
  auto folds = find_channel_scales({.source = *model.files, .reader = *model.reader, .config = model.config},
                                   model.linears(), model.data, pool, smooth_rule(*model.files, alpha));
  EXPECT_TRUE(folds.has_value()) << (folds ? "" : folds.error().message());
  return *std::move(folds);
}

TEST(ScaledSource, LeavesTheModelsFunctionAsItWas) {
  for (const std::string name : {"qwen3", "qwen3-moe", "llama", "qwen2"}) {
    const OpenModel model(tiny_model(name));
    auto folds = smooth_folds(model, 0.5);
    const auto least = model.config.moe ? 2 * model.config.layers : 4 * model.config.layers;
    EXPECT_GE(folds.size(), static_cast<size_t>(least)) << name;
    // Far from 1, which would prove nothing.
    for (ScaledFold& fold : folds)
      fold.scales.front() *= 16;
    const auto scaled = ScaledSource::make(*model.files, std::move(folds));
    ASSERT_TRUE(scaled.has_value()) << scaled.error().message();
    const TestDirectory directory;
    write_float_model(tiny_model(name), **scaled, {}, directory.path());
    EXPECT_LE(relative_error(float_logits(tiny_model(name)), float_logits(directory.path())), 1e-4F) << name;
  }
}

TEST(SmoothRule, GivesInputsAndWeightsTheSameMagnitude) {
  const std::string name = "llama";
  const OpenModel before(tiny_model(name));
  const auto scaled = ScaledSource::make(*before.files, smooth_folds(before, 0.5));
  const TestDirectory directory;
  write_float_model(tiny_model(name), **scaled, {}, directory.path());
  // With alpha = 1/2 both become sqrt(max|x| max|W|), so that a second time there is nothing left to do. (Not
  // so behind norms: rows of v and up are scaled for those behind them as well.)
  const OpenModel after(directory.path());
  for (const ScaledFold& fold : smooth_folds(after, 0.5)) {
    if (!fold.fold.from.ends_with("_proj")) continue;
    for (const float scale : fold.scales)
      ASSERT_NEAR(scale, 1, 0.02) << fold.fold.from;
  }
}

/// A model of the same function, in which one channel of every norm is 64 times as large.
void write_with_outliers(const std::string& name, const std::string& to) {
  const OpenModel model(tiny_model(name));
  std::vector<ScaledFold> folds;
  for (int32_t layer = 0; layer < model.config.layers; ++layer) {
    for (Fold& fold : folds_of_layer(model.config, layer, true)) {
      std::vector<float> scales(static_cast<size_t>(fold.channels), 1);
      scales[5] = 1.F / 64;
      folds.push_back({std::move(fold), std::move(scales)});
    }
  }
  write_float_model(tiny_model(name), **ScaledSource::make(*model.files, std::move(folds)), {}, to);
}

double kl_of(QuantizeOptions options, const std::string& path) {
  const TestDirectory output;
  options.model_path = path;
  options.output = output.path();
  options.calibration = kText;
  const auto done = quantize_directory(options);
  EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message());
  const auto text = read_calibration(path, {.file = {}, .sequences = 40, .length = 64}, 4096);
  const std::vector<int32_t> ids(text->ids.end() - 128, text->ids.end());
  const auto quantized = load(output.path());
  EXPECT_TRUE(quantized.has_value()) << (quantized ? "" : quantized.error().message());
  return mean_kl(float_logits(path, "auto", ids), logits_of(**quantized, ids));
}

TEST(Smooth, TakesOutliersOutOfActivations) {
  for (const std::string name : {"llama", "qwen3-moe"}) {
    const TestDirectory outliers, unused;
    write_with_outliers(name, outliers.path());
    for (const Method method : {Method::kRtn, Method::kGptq}) {
      QuantizeOptions options = options_for(name, unused, "w8a8");
      options.method = method;
      const double plain = kl_of(options, outliers.path());
      options.smooth = 0.5;
      EXPECT_LT(kl_of(options, outliers.path()), plain / 2) << name;
    }
  }
}

TEST(Smooth, WhatRotationsUndoIsLeftOut) {
  const TestDirectory outliers, unused;
  write_with_outliers("llama", outliers.path());
  QuantizeOptions options = options_for("llama", unused, "w8a8");
  options.rotate = RotateOptions{.seed = 1};
  const double rotated = kl_of(options, outliers.path());
  options.smooth = 0.5;
  EXPECT_LT(kl_of(options, outliers.path()), rotated);
}

TEST(Awq, MakesWeightsThatMatterExact) {
  for (const std::string name : {"qwen2", "qwen3-moe"}) {
    const TestDirectory outliers, unused;
    write_with_outliers(name, outliers.path());
    QuantizeOptions options = options_for(name, unused, "w4a16");
    options.group_size = 0;
    const double plain = kl_of(options, outliers.path());
    options.awq = true;
    EXPECT_LT(kl_of(options, outliers.path()), 0.9 * plain) << name;
  }
}

TEST(Smooth, RefusesWhatMakesNoSense) {
  const TestDirectory output;
  QuantizeOptions options = options_for("llama", output, "w8a8");
  options.awq = true;
  options.rotate = RotateOptions{};
  EXPECT_THAT(error_of(options), HasSubstr("--awq with --rotate"));
  options.rotate.reset();
  options.smooth = 0.5;
  EXPECT_THAT(error_of(options), HasSubstr("--smooth with --awq"));
  options.awq = false;
  options.calibration.length = 1 << 20;
  EXPECT_THAT(error_of(options), HasSubstr("--calibration-length=1048576, expected at most"));
  const OpenModel model(tiny_model("llama"));
  const auto wrong = ScaledSource::make(
      *model.files, {{.fold = {.from = "model.norm", .into = {}, .channels = 3}, .scales = {1, 1, 1}}});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message(), HasSubstr("expected 3 rows"));
  EXPECT_TRUE(output.files().empty());
}

}  // namespace
}  // namespace tessera::compress
