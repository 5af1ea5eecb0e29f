// `--quantization S` on a float checkpoint makes the model that `tessera quantize --scheme S` writes: the
// logits are equal to the bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compress/quantize_test_support.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::HasSubstr;

struct Case {
  const char *model, *quantization, *scheme, *loaded;
};

class QuantizeAtLoad : public testing::TestWithParam<Case> {};

TEST_P(QuantizeAtLoad, IsWhatQuantizeWrites) {
  const auto& [model, quantization, scheme, loaded] = GetParam();
  const TestDirectory output;
  ASSERT_EQ(error_of(options_for(model, output, scheme)), "");
  const auto written = load(output.path(), quantization), made = load(tiny_model(model), quantization);
  ASSERT_TRUE(written.has_value()) << written.error().message();
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_TRUE((*made)->report().schemes.contains(loaded)) << (*made)->report().scheme;
  EXPECT_EQ((*made)->report().packed_bytes, (*written)->report().packed_bytes);
  EXPECT_EQ((*made)->report().format, "none");
  EXPECT_EQ(logits_of(**made), logits_of(**written));
  EXPECT_NE(logits_of(**made), logits_of(**load(tiny_model(model))));
}

INSTANTIATE_TEST_SUITE_P(Schemes, QuantizeAtLoad,
                         testing::Values(Case{"llama", "w8a8_int8", "w8a8", "w8a8"},
                                         Case{"llama-sharded", "w4a8_int8", "w4a8", "w4a8-g32"},
                                         Case{"qwen2", "w4a4_int4", "w4a4", "w4a4"},
                                         Case{"qwen3", "w4a8_int8", "w4a8", "w4a8-g32"},
                                         Case{"qwen3", "w4a16_int4", "w4a16", "w4a16-g32"},
                                         Case{"qwen3-moe", "w8a8_int8", "w8a8", "w8a8"},
                                         Case{"qwen3-moe", "w4a4_int4", "w4a4", "w4a4"}),
                         [](const auto& tested) {
                           std::string name =
                               fmt::format("{}_{}", tested.param.model, tested.param.quantization);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

std::string load_error(const std::string& path, const std::string& quantization) {
  const auto model = load(path, quantization);
  return model.has_value() ? "loaded" : model.error().message();
}

TEST(Quantization, InsistsOnTheSchemeOfAQuantizedCheckpoint) {
  const TestDirectory eight, mixed;
  ASSERT_EQ(error_of(options_for("llama", eight, "w8a8")), "");
  ASSERT_EQ(error_of(options_for("llama", mixed, "w4a4-w8a8")), "");
  EXPECT_EQ(load_error(eight.path(), "w8a8_int8"), "loaded");
  EXPECT_EQ(load_error(eight.path(), "compressed-tensors"), "loaded");
  EXPECT_THAT(load_error(eight.path(), "w4a8_int8"),
              testing::AllOf(HasSubstr("--quantization w4a8_int8: model.layers.0.self_attn.q_proj is w8a8"),
                             HasSubstr("and 16 more, expected w4a8 of all quantized linears")));
  EXPECT_THAT(load_error(mixed.path(), "w8a8_int8"), HasSubstr("q_proj is w4a4"));
  EXPECT_THAT(load_error(mixed.path(), "w4a4_int4"), HasSubstr("o_proj is w8a8"));
  EXPECT_EQ(load_error(eight.path(), "none"),
            "--quantization none: the checkpoint's format is compressed-tensors");
}

TEST(Quantization, LinearsLeftInFloatAreTheCheckpointsChoice) {
  const TestDirectory output;
  auto options = options_for("llama", output, "w8a8");
  options.ignore = {".*down_proj$"};
  ASSERT_EQ(error_of(options), "");
  const auto model = load(output.path(), "w8a8_int8");
  ASSERT_TRUE(model.has_value()) << model.error().message();
  EXPECT_EQ((*model)->report().schemes.at("bf16").linears, 3);
}

TEST(Quantization, RefusesWhatItCannotDo) {
  EXPECT_EQ(load_error(tiny_model("llama"), "compressed-tensors"),
            "--quantization compressed-tensors: the checkpoint's format is none");
  EXPECT_THAT(load_error(tiny_model("llama"), "awful"),
              HasSubstr("--quantization awful: expected one of w8a8_int8, w4a8_int8, w4a4_int4, w4a16_int4"));
  EXPECT_THAT(
      load_error(tiny_model("llama"), "w4a8_int8"),
      HasSubstr("--quantization w4a8_int8: group size 32 does not divide the inputs of down_proj (172 "
                "columns)"));
}

}  // namespace
}  // namespace tessera::compress
