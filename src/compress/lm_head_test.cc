// `quantize --lm-head`: the output head as integers, of tied and untied models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "compress/inspect.h"
#include "compress/quantize_test_support.h"
#include "formats/hf/model_dir.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/weight_format.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::ModuleKind;
using formats::TestDirectory;
using testing::HasSubstr;

struct Opened {
  formats::ModelDir model;
  std::unique_ptr<formats::TensorSource> source;
  std::unique_ptr<formats::WeightReader> reader;

  explicit Opened(const std::string& path)
      : model(*formats::open_model_dir(path)),
        source(*formats::open_safetensors_dir(path)),
        reader(*formats::open_weight_reader(model.config, path, *source)) {}
};

/// The head's codes and scales are those of rounding `source_tensor` per channel.
void expect_head_of(const Opened& before, const std::string& source_tensor, const Opened& after, int bits) {
  const Tensor weight = *before.source->read(source_tensor);
  const int64_t out = weight.shape()[0], in = weight.shape()[1];
  const auto head = after.reader->read("lm_head", out, in);
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(head->scheme.name(), fmt::format("w{}a8", bits));
  const auto columns = static_cast<size_t>(in);
  std::vector<float> row(columns), scale(1);
  std::vector<int8_t> codes(columns);
  for (size_t i = 0; i < static_cast<size_t>(out); ++i) {
    quant::widen(weight.dtype(), weight.data() + i * columns * dtype_size(weight.dtype()), row);
    ASSERT_TRUE(quant::encode_row(row, bits, 0, weight.dtype(), scale, codes));
    ASSERT_EQ(head->scales[i], scale[0]) << "row " << i;
    ASSERT_TRUE(std::ranges::equal(codes, head->values.as<int8_t>().subspan(i * columns, columns)))
        << "row " << i;
  }
}

struct Case {
  const char *model, *scheme, *head;
  bool tied;
};

class LmHead : public testing::TestWithParam<Case> {};

TEST_P(LmHead, GetsItsOwnIntegersAndRuns) {
  const auto& [model, scheme, head, tied] = GetParam();
  const TestDirectory output, with_float_head;
  auto options = options_for(model, output, scheme);
  options.lm_head = head;
  ASSERT_EQ(error_of(options), "");
  const Opened before(tiny_model(model)), after(output.path());
  ASSERT_EQ(before.model.config["tie_word_embeddings"], tied) << "the tiny model changed";
  EXPECT_EQ(after.model.config["tie_word_embeddings"], false);
  expect_head_of(before, tied ? "model.embed_tokens.weight" : "lm_head.weight", after,
                 std::string_view(head) == "w8a8" ? 8 : 4);
  const Tensor a = *before.source->read("model.embed_tokens.weight");
  const Tensor b = *after.source->read("model.embed_tokens.weight");
  EXPECT_TRUE(std::ranges::equal(std::span(a.data(), a.bytes()), std::span(b.data(), b.bytes())));

  options.lm_head = "none";
  options.output = with_float_head.path();
  ASSERT_EQ(error_of(options), "");
  const auto with_head = load(output.path()), without = load(with_float_head.path());
  ASSERT_TRUE(with_head.has_value()) << with_head.error().message();
  EXPECT_TRUE((*with_head)->report().schemes.contains(head));
  const auto rounded = logits_of(**with_head), exact = logits_of(**without);
  double error = 0, norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += std::pow(rounded[i] - exact[i], 2);
    norm += std::pow(exact[i], 2);
  }
  // The error of 8-bit rows and activations is about 1 % of the norm each, of 4-bit rows 12 %.
  EXPECT_LT(std::sqrt(error / norm), std::string_view(head) == "w8a8" ? 0.03 : 0.25);
  EXPECT_GT(error, 0) << "the head was not quantized";
}

INSTANTIATE_TEST_SUITE_P(
    Models, LmHead,
    testing::Values(Case{"llama", "w8a8", "w8a8", true}, Case{"qwen2", "w4a4", "w4a8", true},
                    Case{"qwen3", "w4a8", "w8a8", true}, Case{"llama-rope3", "w4a4-w8a8", "w4a8", false},
                    Case{"qwen3-moe", "w8a8", "w8a8", false}),
    [](const auto& tested) {
      std::string name = fmt::format("{}_{}_{}", tested.param.model, tested.param.scheme, tested.param.head);
      std::ranges::replace(name, '-', '_');
      return name;
    });

TEST(LmHeadConfig, IsAGroupOfItsOwn) {
  const TestDirectory output;
  auto options = options_for("llama", output, "w4a4");
  options.lm_head = "w8a8";
  ASSERT_EQ(error_of(options), "");
  const auto config = formats::open_model_dir(output.path())->config["quantization_config"];
  EXPECT_EQ(config["format"], "mixed-precision");
  const auto& head = config["config_groups"]["group_1"];
  EXPECT_EQ(head["targets"], nlohmann::json({"lm_head"}));
  EXPECT_EQ(head["weights"]["num_bits"], 8);
  EXPECT_EQ(head["weights"]["strategy"], "channel");
  EXPECT_EQ(head["format"], "int-quantized");
  EXPECT_FALSE(config.contains("ignore") && config["ignore"].dump().find("lm_head") != std::string::npos);
}

TEST(LmHeadConfig, InspectShowsIt) {
  const TestDirectory output;
  auto options = options_for("qwen3-moe", output, "w4a4");
  options.lm_head = "w8a8";
  ASSERT_EQ(error_of(options), "");
  const auto inspection = inspect_directory(output.path());
  ASSERT_TRUE(inspection.has_value()) << inspection.error().message();
  EXPECT_THAT(inspection->refusals, testing::IsEmpty());
  EXPECT_EQ(inspection->schemes.at("w8a8").linears, 1U);
  EXPECT_THAT(to_text(*inspection), HasSubstr("lm_head"));
}

/// A tied model with a stale copy of its head, as some exports carry.
TEST(LmHeadConfig, ACopyOfATiedHeadGivesWay) {
  const TestDirectory input, output;
  const std::string layer = "model.layers.0.mlp.down_proj.weight";
  const Shape shape{4, 4};
  const std::vector<formats::TensorSpec> specs = {{layer, DType::kF32, shape},
                                                  {"model.embed_tokens.weight", DType::kF32, shape},
                                                  {"lm_head.weight", DType::kF32, shape}};
  auto writer = formats::SafetensorsWriter::create(input.path(), specs);
  const std::vector<float> embedding(16, 3.0F), stale(16, -1.0F);
  ASSERT_TRUE(writer->write(layer, std::as_bytes(std::span(embedding))).has_value());
  ASSERT_TRUE(writer->write(specs[1].name, std::as_bytes(std::span(embedding))).has_value());
  ASSERT_TRUE(writer->write(specs[2].name, std::as_bytes(std::span(stale))).has_value());
  ASSERT_TRUE(writer->commit().has_value());
  input.write("config.json", R"({"tie_word_embeddings": true})");
  auto options = options_for("", output, "w8a8");
  options.model_path = input.path();
  options.lm_head = "w8a8";
  ASSERT_EQ(error_of(options), "");
  const auto head = Opened(output.path()).reader->read("lm_head", 4, 4);
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(head->values.as<int8_t>()[0], 127) << "from the embedding, not from the copy";
}

TEST(LmHeadConfig, Refusals) {
  const TestDirectory output;
  auto options = options_for("llama", output, "w8a8");
  options.lm_head = "w2a2";
  EXPECT_EQ(error_of(options), "--lm-head=w2a2, expected none, w8a8 or w4a8");
  options.lm_head = "w8a8";
  options.ignore = {"lm_head"};
  EXPECT_THAT(error_of(options), HasSubstr("--ignore matches lm_head"));
  const TestDirectory headless;
  const std::string layer = "model.layers.0.mlp.down_proj.weight";
  const std::vector<formats::TensorSpec> specs = {{layer, DType::kF32, Shape{2, 2}}};
  auto writer = formats::SafetensorsWriter::create(headless.path(), specs);
  const std::vector<float> values(4, 1.0F);
  ASSERT_TRUE(writer->write(layer, std::as_bytes(std::span(values))).has_value());
  ASSERT_TRUE(writer->commit().has_value());
  headless.write("config.json", "{}");
  options.ignore = {};
  options.model_path = headless.path();
  EXPECT_EQ(error_of(options),
            "--lm-head: lm_head.weight is not in the checkpoint, expected a matrix to quantize");
  EXPECT_TRUE(output.files().empty());
}

}  // namespace
}  // namespace tessera::compress
