// `quantize --format modelslim`: what is written is read back as written, runs, and says what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "compress/float_model_test_support.h"
#include "compress/inspect.h"
#include "compress/rotate/rotated_source.h"
#include "formats/json_limits.h"
#include "formats/modelslim/writer.h"
#include "formats/weight_format.h"
#include "models/architecture.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using testing::HasSubstr;

QuantizeOptions modelslim_options(const std::string& model, const formats::TestDirectory& output,
                                  const std::string& scheme) {
  auto options = options_for(model, output, scheme);
  options.format = "modelslim";
  return options;
}

TEST(QuantizeModelSlim, MixturesAreReadAsWritten) {
  const formats::TestDirectory output;
  const auto summary = quantize_directory(modelslim_options("qwen3-moe", output, "w4a4-w8a8"));
  ASSERT_TRUE(summary.has_value()) << summary.error().message();
  EXPECT_EQ(summary->format, "modelslim");
  EXPECT_EQ(summary->schemes, (std::vector<std::string>{"W4A4_DYNAMIC", "W8A8_DYNAMIC"}));
  const auto description = *formats::parse_json(
      *read_text_file(output.path() + "/quant_model_description.json", 1 << 20), "description");
  EXPECT_EQ(description["model.layers.0.mlp.down_proj.weight_scale"], "W8A8_DYNAMIC");
  EXPECT_EQ(description["model.layers.3.mlp.experts.7.up_proj.weight"], "W4A4_DYNAMIC");
  EXPECT_EQ(description["model.layers.3.mlp.gate.weight"], "FLOAT");
  EXPECT_EQ(description["lm_head.weight"], "FLOAT");
  const auto inspection = inspect_directory(output.path());
  ASSERT_TRUE(inspection.has_value()) << inspection.error().message();
  EXPECT_EQ(inspection->format, "modelslim");
  EXPECT_TRUE(inspection->refusals.empty()) << inspection->refusals.front();
  EXPECT_EQ(inspection->schemes.at("w4a4").linears + inspection->schemes.at("w8a8").linears,
            summary->linears);
  auto model = load(output.path());
  ASSERT_TRUE(model.has_value()) << model.error().message();
  EXPECT_TRUE(std::ranges::all_of(logits_of(**model), [](float logit) { return std::isfinite(logit); }));
}

TEST(QuantizeModelSlim, PairsOfRowsAreReadAsWritten) {
  const formats::TestDirectory output, float_rows;
  ASSERT_EQ(error_of(modelslim_options("qwen3", output, "w4a8")), "");
  ASSERT_EQ(error_of(modelslim_options("qwen3", float_rows, "w4a4")), "");  // the same codes, a byte each
  const auto pairs = *formats::open_safetensors_dir(output.path()),
             bytes = *formats::open_safetensors_dir(float_rows.path());
  const auto pair_reader = *formats::open_weight_reader(nlohmann::json::object(), output.path(), *pairs);
  const auto byte_reader = *formats::open_weight_reader(nlohmann::json::object(), float_rows.path(), *bytes);
  const std::string name = "model.layers.1.mlp.down_proj";
  const auto data = pair_reader->read(name, 96, 128), expected = byte_reader->read(name, 96, 128);
  ASSERT_TRUE(data.has_value() && expected.has_value());
  EXPECT_EQ(data->scheme.name(), "w4a8");
  EXPECT_EQ(data->scales, expected->scales);
  EXPECT_TRUE(std::ranges::equal(data->values.as<int8_t>(), expected->values.as<int8_t>()));
  EXPECT_EQ(pairs->find(name + ".weight")->shape, (Shape{48, 128}));
  EXPECT_EQ(pairs->find(name + ".scale_bias")->shape, (Shape{96, 16}));
  EXPECT_THAT(inspect_directory(output.path())->refusals, testing::IsEmpty());
  auto model = load(output.path());
  ASSERT_TRUE(model.has_value()) << model.error().message();
  EXPECT_EQ((*model)->report().scheme, "w4a8");
}

TEST(QuantizeModelSlim, CodesAreThoseOfTheRule) {
  const formats::TestDirectory output;
  ASSERT_EQ(error_of(modelslim_options("qwen3", output, "w8a8")), "");
  const auto written = *formats::open_safetensors_dir(output.path());
  const auto original = *formats::open_safetensors_dir(tiny_model("qwen3"));
  const auto reader = *formats::open_weight_reader(nlohmann::json::object(), output.path(), *written);
  const std::string name = "model.layers.1.mlp.up_proj";
  const auto data = reader->read(name, 128, 96);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  const Tensor weight = *original->read(name + ".weight");
  std::vector<float> row(96);
  std::vector<int8_t> codes(96);
  for (size_t n = 0; n < 128; ++n) {
    float scale = 0;
    quant::widen(weight.dtype(), weight.data() + n * 96 * 2, row);
    ASSERT_TRUE(formats::modelslim::encode_row(row, 8, scale, codes));
    EXPECT_EQ(data->scales[n], scale);
    ASSERT_TRUE(std::ranges::equal(codes, data->values.as<int8_t>().subspan(n * 96, 96))) << "row " << n;
  }
}

/// A float32 model: scales are then the same number in both formats.
void write_wide_model(const std::string& name, const std::string& to) {
  const auto files = formats::open_safetensors_dir(tiny_model(name));
  const auto config = models::parse_model_config(formats::open_model_dir(tiny_model(name))->config);
  const auto wide = RotatedSource::make(**files, *config, {.seed = 9});
  ASSERT_TRUE(wide.has_value()) << wide.error().message();
  write_float_model(tiny_model(name), **wide, {}, to);
}

TEST(QuantizeModelSlim, CalibratedCodesAreThoseOfCompressedTensors) {
  for (const std::string name : {"llama", "qwen3-moe"}) {
    const formats::TestDirectory source, slim, plain;
    write_wide_model(name, source.path());
    const auto options = [&](const formats::TestDirectory& output, const std::string& format) {
      QuantizeOptions result = options_for(name, output, "w8a8");
      result.model_path = source.path();
      result.format = format;
      result.method = Method::kGptq;
      result.clip = quant::Clip::kLeastSquares;
      result.rotate = RotateOptions{.seed = 1};
      result.smooth = 0.5;
      result.calibration = {.file = {}, .sequences = 16, .length = 64};
      return result;
    };
    ASSERT_EQ(error_of(options(slim, "modelslim")), "");
    ASSERT_EQ(error_of(options(plain, "compressed-tensors")), "");
    const auto a = load(slim.path()), b = load(plain.path());
    ASSERT_TRUE(a.has_value()) << a.error().message();
    EXPECT_EQ((*a)->report().format, "modelslim");
    EXPECT_EQ(logits_of(**a), logits_of(**b)) << name;
  }
}

TEST(QuantizeModelSlim, FourBitsAreCalibratedToo) {
  const formats::TestDirectory plain, calibrated;
  const std::string name = "qwen3";
  ASSERT_EQ(error_of(modelslim_options(name, plain, "w4a8")), "");
  auto options = modelslim_options(name, calibrated, "w4a8");
  options.method = Method::kGptq;
  options.clip = quant::Clip::kLeastSquares;
  options.calibration = {.file = {}, .sequences = 32, .length = 64};
  ASSERT_EQ(error_of(options), "");
  const auto text = read_calibration(tiny_model(name), {.file = {}, .sequences = 40, .length = 64}, 4096);
  const std::vector<int32_t> ids(text->ids.end() - 128, text->ids.end());
  const auto expected = float_logits(tiny_model(name), "auto", ids);
  EXPECT_LT(mean_kl(expected, logits_of(**load(calibrated.path()), ids)),
            mean_kl(expected, logits_of(**load(plain.path()), ids)));
}

TEST(QuantizeModelSlim, WhatIsNotWrittenIsRefusedBeforehand) {
  const formats::TestDirectory output;
  EXPECT_THAT(error_of(modelslim_options("qwen3", output, "w4a16")),
              HasSubstr("not written as ModelSlim, expected w8a8, w4a8 or w4a4 per channel"));
  auto head = modelslim_options("qwen3", output, "w4a8");
  head.lm_head = "w4a8";
  EXPECT_THAT(error_of(head), HasSubstr("lm_head: the format has no W4A8_DYNAMIC of it"));
  auto grouped = modelslim_options("qwen3", output, "w4a4");
  grouped.group_size = 32;
  EXPECT_THAT(error_of(grouped), HasSubstr("scheme w4a4-g32: not written as ModelSlim"));
  auto stored = modelslim_options("qwen3", output, "w4a4");
  stored.storage = Storage::kPacked;
  EXPECT_THAT(error_of(stored), HasSubstr("--storage"));
  auto online = modelslim_options("qwen3", output, "w4a4");
  online.rotate = RotateOptions{.seed = 1, .online = true};
  EXPECT_THAT(error_of(online), HasSubstr("--rotate=online with --format=modelslim"));
  auto fine = modelslim_options("qwen3", output, "w4a4");
  fine.activation_group = 32;
  EXPECT_THAT(error_of(fine), HasSubstr("--activation-group=32 with --format=modelslim"));
  auto unknown = modelslim_options("qwen3", output, "w4a4");
  unknown.format = "gguf";
  EXPECT_THAT(error_of(unknown), HasSubstr("--format=gguf, expected compressed-tensors or modelslim"));
  EXPECT_TRUE(output.files().empty());
}

TEST(QuantizeModelSlim, FormatsDoNotMixInOneDirectory) {
  const formats::TestDirectory output;
  ASSERT_EQ(error_of(modelslim_options("qwen3", output, "w4a4")), "");
  auto again = options_for("qwen3", output, "w8a8");
  again.force = true;
  ASSERT_EQ(error_of(again), "");
  EXPECT_EQ(inspect_directory(output.path())->format, "compressed-tensors");
  auto back = modelslim_options("qwen3", output, "w4a4");
  back.force = true;
  ASSERT_EQ(error_of(back), "");
  EXPECT_EQ(inspect_directory(output.path())->format, "modelslim");
  EXPECT_TRUE(load(output.path()).has_value());
}

}  // namespace
}  // namespace tessera::compress
