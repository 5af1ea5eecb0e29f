#include "formats/gptq/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/gptq/test_checkpoint.h"

namespace tessera::formats::gptq {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr ModuleKind kLinear = ModuleKind::kLinear;

json config_of(int bits, int group_size, const char* format = "gptq_v2") {
  return {
      {"quant_method", "gptq"}, {"bits", bits}, {"group_size", group_size}, {"checkpoint_format", format}};
}

/// [8, 8], 4 bits, groups of 4: code n at all inputs of output n, but 15 at input 7 of output 0; zero point 8
/// in group 0, 8 less the output in group 1.
std::vector<TestTensor> module() {
  std::vector<uint32_t> words;
  for (uint32_t n = 0; n < 8; ++n)
    words.push_back(n * 0x11111111U);
  words[0] = 0xF0000000U;
  std::vector<float> scales(16, 1.F);
  scales[8 + 3] = .5F;  // group 1, output 3
  return {test_tensor<uint32_t>("m.qweight", DType::kI32, {1, 8}, words),
          test_tensor<uint32_t>("m.qzeros", DType::kI32, {2, 1}, {0x88888888U, 0x12345678U}),
          test_tensor<float>("m.scales", DType::kF32, {2, 8}, scales),
          test_tensor<int32_t>("m.g_idx", DType::kI32, {8}, {0, 0, 0, 0, 1, 1, 1, 1})};
}

TEST(GptqReader, WordsHoldTheInputsOfAnOutput) {
  const TestCheckpoint checkpoint(config_of(4, 4), module());
  ASSERT_NE(checkpoint.reader, nullptr) << checkpoint.error;
  EXPECT_EQ(checkpoint.reader->format_name(), "gptq");
  EXPECT_EQ(checkpoint.reader->linear_shape("m"), (Shape{8, 8}));
  const auto data = checkpoint.reader->read("m", 8, 8);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "w4a16-g4-asym");
  EXPECT_EQ(data->scheme, *checkpoint.reader->scheme("m", kLinear));
  const auto codes = data->values.as<int8_t>();
  EXPECT_EQ(codes[0], -8);
  EXPECT_EQ(codes[7], 7);
  EXPECT_EQ(codes[8 * 5 + 2], 5 - 8);
  EXPECT_EQ(data->scales[2 * 3 + 1], .5F);
  EXPECT_EQ(data->zero_points[2 * 3], 0);
  EXPECT_EQ(data->zero_points[2 * 3 + 1], 5 - 8);
  EXPECT_TRUE(data->transform.empty());
  EXPECT_THAT(checkpoint.reader->tensor_names("m", kLinear),
              testing::ElementsAre("m.qweight", "m.qzeros", "m.scales", "m.g_idx"));
}

/// The whole word was lessened by 0x11111111: its borrows come back.
TEST(GptqReader, Version1StoresZeroPointsLessOne) {
  const auto zeros_of = [](uint32_t word) {
    const TestCheckpoint checkpoint(
        config_of(4, -1, "gptq"),
        with(with(without(module(), "m.g_idx"),
                  test_tensor<uint32_t>("m.qzeros", DType::kI32, {1, 1}, {word})),
             test_tensor<float>("m.scales", DType::kF32, {1, 8}, std::vector<float>(8, 1.F))));
    const auto data = checkpoint.reader->read("m", 8, 8);
    EXPECT_TRUE(data.has_value()) << data.error().message();
    return data->zero_points;
  };
  EXPECT_THAT(zeros_of(0x77777777U), testing::IsEmpty());  // symmetric
  EXPECT_THAT(zeros_of(0x12345670U - 0x11111111U), testing::ElementsAre(-8, -1, -2, -3, -4, -5, -6, -7));
}

TEST(GptqReader, ActOrderBecomesAnOrderOfTheInputs) {
  const auto ordered = [](const std::vector<int32_t>& index) {
    json config = config_of(4, 4);
    config["desc_act"] = true;
    return TestCheckpoint(config, with(module(), test_tensor<int32_t>("m.g_idx", DType::kI32, {8}, index)));
  };
  const TestCheckpoint checkpoint = ordered({1, 0, 1, 0, 1, 0, 1, 0});
  EXPECT_EQ(checkpoint.reader->scheme("m", kLinear)->name(), "w4a16-g4-asym-transformed");
  const auto data = checkpoint.reader->read("m", 8, 8);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->transform, (quant::InputTransform{quant::ColumnOrder{{1, 3, 5, 7, 0, 2, 4, 6}}}));
  EXPECT_EQ(data->values.as<int8_t>()[3], 7);  // input 7
  EXPECT_THAT(ordered({0, 0, 0, 0, 0, 1, 1, 1}).error_of_read("m", 8, 8),
              HasSubstr("m.g_idx: 5 columns in group 0, expected 4"));
  for (const int32_t bad : {2, -1}) {
    EXPECT_THAT(ordered({0, 0, 0, 0, 1, 1, 1, bad}).error_of_read("m", 8, 8),
                HasSubstr(fmt::format("m.g_idx: element 7 is {}, expected 0 to 1", bad)));
  }
}

TEST(GptqReader, TensorsHaveTheLastWord) {
  auto tensors = module();
  tensors.push_back(test_tensor<uint16_t>("f.weight", DType::kBF16, {1, 2}, {0, 0}));
  // 8 bits, which `dynamic` or nobody says.
  tensors.push_back(
      test_tensor<uint32_t>("e.qweight", DType::kI32, {1, 4}, {0x80808080U, 0x81818181U, 0U, 0xFFFFFFFFU}));
  tensors.push_back(test_tensor<uint32_t>("e.qzeros", DType::kI32, {1, 1}, {0x80808080U}));
  tensors.push_back(test_tensor<float>("e.scales", DType::kF32, {1, 4}, {1, 1, 1, 1}));
  tensors.push_back(test_tensor<int32_t>("e.g_idx", DType::kI32, {4}, {0, 0, 0, 0}));
  json config = config_of(4, 4);
  config["dynamic"] = {{"-:f", json::object()}, {"+:e", {{"bits", 8}, {"group_size", -1}}}};
  const TestCheckpoint checkpoint(config, tensors);
  ASSERT_NE(checkpoint.reader, nullptr) << checkpoint.error;
  EXPECT_EQ(checkpoint.reader->scheme("f", kLinear)->name(), "bf16");
  EXPECT_TRUE(checkpoint.reader->read("f", 1, 2).has_value());
  EXPECT_EQ(checkpoint.reader->scheme("e", kLinear)->name(), "w8a16");
  const auto data = checkpoint.reader->read("e", 4, 4);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->values.as<int8_t>()[4], 1);
  EXPECT_EQ(data->values.as<int8_t>()[15], 127);
  EXPECT_THAT(checkpoint.reader->scheme("m", ModuleKind::kEmbedding).error().message(),
              HasSubstr("m: a quantized embedding"));
  EXPECT_THAT(checkpoint.error_of_read("absent", 1, 1), HasSubstr("absent: neither qweight nor weight"));
}

TEST(GptqReader, MisfitsAreNamedTogether) {
  auto tensors = module();
  tensors.push_back(test_tensor<float>("m.bias", DType::kF32, {8}, std::vector<float>(8)));
  const TestCheckpoint checkpoint(config_of(4, 4), tensors);
  const auto status = checkpoint.reader->check("m", 16, 24);
  ASSERT_FALSE(status.has_value());
  for (const char* part :
       {"m: qweight is I32 [1, 8], expected I32 [3, 16]",
        "scales is F32 [2, 8], expected floats [groups, 16]", "bias is [8], expected [16]"})
    EXPECT_THAT(status.error().message(), HasSubstr(part));
  const auto narrow = checkpoint.reader->check("m", 8, 24);
  for (const char* part :
       {"qweight is I32 [1, 8], expected I32 [3, 8]", "g_idx is I32 [8], expected I32 [24]"})
    EXPECT_THAT(narrow.error().message(), HasSubstr(part));
}

TEST(GptqReader, LyingTensors) {
  const auto error_with = [](TestTensor replacement) {
    return TestCheckpoint(config_of(4, 4), with(module(), std::move(replacement))).error_of_read("m", 8, 8);
  };
  for (const float bad : {0.F, -1.F, NAN, INFINITY}) {
    std::vector<float> scales(16, 1.F);
    scales[9] = bad;
    EXPECT_THAT(error_with(test_tensor<float>("m.scales", DType::kF32, {2, 8}, scales)),
                HasSubstr("m.scales: element 9 is"));
  }
  EXPECT_THAT(error_with(test_tensor<float>("m.scales", DType::kF32, {3, 8}, std::vector<float>(24, 1.F))),
              HasSubstr("scales is F32 [3, 8], expected groups that divide 8 inputs"));
  EXPECT_THAT(error_with(test_tensor<int64_t>("m.g_idx", DType::kI64, {8}, std::vector<int64_t>(8))),
              HasSubstr("g_idx is I64 [8], expected I32 [8]"));
  EXPECT_THAT(error_with(test_tensor<uint32_t>("m.qzeros", DType::kI32, {2}, {0, 0})),
              HasSubstr("qzeros is I32 [2], expected I32 [2, 1]"));
  EXPECT_THAT(error_with(test_tensor<uint8_t>("m.qweight", DType::kU8, {1, 8}, std::vector<uint8_t>(8))),
              HasSubstr("qweight is U8 [1, 8], expected I32 [1, 8]"));
  EXPECT_THAT(error_with(test_tensor<uint32_t>("m.qweight", DType::kI32, {8}, std::vector<uint32_t>(8))),
              HasSubstr("qweight is I32 [8], expected I32 [1, 8]"));
  for (const char* name : {"qzeros", "scales"}) {
    EXPECT_THAT(TestCheckpoint(config_of(4, 4), without(module(), fmt::format("m.{}", name)))
                    .error_of_read("m", 8, 8),
                HasSubstr(fmt::format("{} is missing", name)));
  }
}

TEST(GptqReader, WithoutAnIndexTheConfigSaysTheGroups) {
  EXPECT_EQ(TestCheckpoint(config_of(4, 4), without(module(), "m.g_idx")).error_of_read("m", 8, 8), "");
  EXPECT_THAT(TestCheckpoint(config_of(4, 2), without(module(), "m.g_idx")).error_of_read("m", 8, 8),
              HasSubstr("scales is F32 [2, 8], expected groups of 2 as the config says"));
  json config = config_of(4, 4);
  config["desc_act"] = true;
  EXPECT_THAT(TestCheckpoint(config, without(module(), "m.g_idx")).error_of_read("m", 8, 8),
              HasSubstr("g_idx is missing from weights with desc_act"));
}

TEST(GptqReader, ThreeBitsOfVersion1AreRefused) {
  std::vector<TestTensor> tensors{
      test_tensor<uint32_t>("m.qweight", DType::kI32, {3, 32}, std::vector<uint32_t>(96)),
      test_tensor<uint32_t>("m.qzeros", DType::kI32, {1, 3}, {0, 0, 0}),
      test_tensor<float>("m.scales", DType::kF32, {1, 32}, std::vector<float>(32, 1.F))};
  const TestCheckpoint second(config_of(3, -1), tensors);
  EXPECT_EQ(second.error_of_read("m", 32, 32), "");
  EXPECT_EQ(second.reader->scheme("m", kLinear)->name(), "w4a16-asym");
  EXPECT_THAT(TestCheckpoint(config_of(3, -1, "gptq"), tensors).error_of_read("m", 32, 32),
              HasSubstr("3-bit codes with checkpoint_format \"gptq\""));
}

TEST(GptqConfig, EverythingThatIsNotRunIsNamedTogether) {
  json config = config_of(5, 128, "bitblas");
  config["pack_dtype"] = "int64";
  config["adapter"] = {{"name", "lora"}};
  config["dynamic"] = {{".*down.*", {{"bits", 6}}}};
  EXPECT_EQ(TestCheckpoint(config, module()).error,
            "config.json: quantization_config has checkpoint_format=\"bitblas\"; config.json: "
            "quantization_config.bits=5; "
            "config.json: quantization_config.pack_dtype=\"int64\"; config.json: "
            "quantization_config.adapter; config.json: "
            "quantization_config.dynamic..*down.*.bits=6, which is not supported; expected checkpoint_format "
            "\"gptq\" or "
            "\"gptq_v2\", bits 2, 3, 4 or 8 in words of int32, no adapter and no rotation");
  json marlin = config_of(4, 128);
  marlin["is_marlin_format"] = true;
  EXPECT_THAT(TestCheckpoint(marlin, module()).error, HasSubstr("=\"marlin\""));
}

TEST(GptqConfig, FieldsOfTheWrongType) {
  const auto error_with = [](const char* key, const json& value) {
    json config = config_of(4, 4);
    config[key] = value;
    return TestCheckpoint(config, module()).error;
  };
  EXPECT_THAT(error_with("bits", "four"),
              HasSubstr("quantization_config.bits=\"four\", expected an integer"));
  EXPECT_THAT(error_with("group_size", 0), HasSubstr("group_size=0, expected -1 or a positive number"));
  EXPECT_THAT(error_with("desc_act", 1), HasSubstr("desc_act=1, expected true or false"));
  EXPECT_THAT(error_with("sym", "yes"), HasSubstr("sym=\"yes\", expected true or false"));
  EXPECT_THAT(error_with("checkpoint_format", 2), HasSubstr("checkpoint_format=2, expected a string"));
  EXPECT_THAT(error_with("dynamic", 2), HasSubstr("dynamic=2, expected an object of patterns"));
}

/// AutoGPTQ's own file, before quant_method and checkpoint_format.
TEST(GptqConfig, AFileOfItsOwn) {
  const json old = {
      {"bits", 4}, {"group_size", 4}, {"damp_percent", 0.01}, {"desc_act", false}, {"sym", true}};
  const TestCheckpoint checkpoint(old, module(), "quantize_config.json");
  ASSERT_NE(checkpoint.reader, nullptr) << checkpoint.error;
  EXPECT_EQ(checkpoint.reader->format_name(), "gptq");
  EXPECT_EQ(checkpoint.reader->read("m", 8, 8)->zero_points[0], 1);  // version 1
  checkpoint.directory.write("quantize_config.json", "{");
  const auto broken = open_weight_reader(json::object(), checkpoint.directory.path(), *checkpoint.source);
  EXPECT_THAT(broken.error().message(), HasSubstr("quantize_config.json"));
}

}  // namespace
}  // namespace tessera::formats::gptq
