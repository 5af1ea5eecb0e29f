#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/awq/format.h"
#include "formats/gptq/test_checkpoint.h"

namespace tessera::formats::awq {
namespace {

using gptq::TestCheckpoint;
using gptq::with;
using gptq::without;
using nlohmann::json;
using testing::HasSubstr;

json config_of(int group_size) {
  return {{"quant_method", "awq"},
          {"bits", 4},
          {"group_size", group_size},
          {"zero_point", true},
          {"version", "gemm"}};
}

/// [8, 4], groups of 2: code n + k at output n and input k; zero point of output n is n in group 0, 8 in
/// group 1.
std::vector<TestTensor> module() {
  // Nibble i of a word is output 0 2 4 6 1 3 5 7 [i].
  constexpr uint32_t kOutputs = 0x75316420U;
  return {test_tensor<uint32_t>(
              "m.qweight", DType::kI32, {4, 1},
              {kOutputs, kOutputs + 0x11111111U, kOutputs + 0x22222222U, kOutputs + 0x33333333U}),
          test_tensor<uint32_t>("m.qzeros", DType::kI32, {2, 1}, {kOutputs, 0x88888888U}),
          test_tensor<float>("m.scales", DType::kF32, {2, 8}, std::vector<float>(16, .5F))};
}

TEST(AwqReader, WordsHoldEightOutputsInterleaved) {
  const TestCheckpoint checkpoint(config_of(2), module());
  ASSERT_NE(checkpoint.reader, nullptr) << checkpoint.error;
  EXPECT_EQ(checkpoint.reader->format_name(), "awq");
  EXPECT_EQ(checkpoint.reader->linear_shape("m"), (Shape{8, 4}));
  const auto data = checkpoint.reader->read("m", 8, 4);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "w4a16-g2-asym");
  EXPECT_EQ(data->scheme, *checkpoint.reader->scheme("m", ModuleKind::kLinear));
  for (int n = 0; n < 8; ++n) {
    for (int k = 0; k < 4; ++k)
      EXPECT_EQ(data->values.as<int8_t>()[static_cast<size_t>(4 * n + k)], n + k - 8) << n << " " << k;
    EXPECT_EQ(data->zero_points[static_cast<size_t>(2 * n)], n - 8);
    EXPECT_EQ(data->zero_points[static_cast<size_t>(2 * n + 1)], 0);
  }
}

TEST(AwqReader, Misfits) {
  const TestCheckpoint checkpoint(config_of(2), module());
  EXPECT_THAT(checkpoint.error_of_read("m", 16, 6),
              HasSubstr("m: qweight is I32 [4, 1], expected I32 [6, 2]; scales is F32 [2, 8], "
                        "expected floats [groups, 16]"));
  EXPECT_THAT(checkpoint.error_of_read("m", 12, 4),
              HasSubstr("12 outputs of 4 bits, expected a whole number of 32-bit words"));
  EXPECT_THAT(TestCheckpoint(config_of(4), module()).error_of_read("m", 8, 4),
              HasSubstr("scales is F32 [2, 8], expected groups of 4 as the config says"));
  EXPECT_THAT(TestCheckpoint(config_of(2), without(module(), "m.qzeros")).error_of_read("m", 8, 4),
              HasSubstr("qzeros is missing, expected I32 [2, 1]"));
  EXPECT_THAT(TestCheckpoint(config_of(2), with(module(), test_tensor<uint32_t>("m.qzeros", DType::kI32,
                                                                                {2, 2}, {0, 0, 0, 0})))
                  .error_of_read("m", 8, 4),
              HasSubstr("qzeros is I32 [2, 2], expected I32 [2, 1]"));
}

TEST(AwqConfig, OtherLayoutsAreRefusedByName) {
  for (const char* version : {"gemv", "GEMV_FAST", "marlin", "exllama", "ipex"}) {
    json config = config_of(2);
    config["version"] = version;
    EXPECT_THAT(TestCheckpoint(config, module()).error,
                HasSubstr("config.json: quantization_config has version=\""));
  }
  json config = config_of(2);
  config["bits"] = 8;
  config["backend"] = "llm-awq";
  EXPECT_EQ(TestCheckpoint(config, module()).error,
            "config.json: quantization_config has backend=\"llm-awq\"; bits=8, which is not supported; "
            "expected version "
            "\"gemm\" with 4 bits");
  config = config_of(0);
  EXPECT_THAT(TestCheckpoint(config, module()).error,
              HasSubstr("group_size=0, expected -1 or a positive number"));
}

/// AutoAWQ's own file has its own names.
TEST(AwqConfig, AFileOfItsOwn) {
  const json old = {{"zero_point", true}, {"q_group_size", 2}, {"w_bit", 4}, {"version", "GEMM"}};
  const TestCheckpoint checkpoint(old, module(), "quant_config.json");
  ASSERT_NE(checkpoint.reader, nullptr) << checkpoint.error;
  EXPECT_EQ(checkpoint.reader->format_name(), "awq");
  EXPECT_EQ(checkpoint.error_of_read("m", 8, 4), "");
}

}  // namespace
}  // namespace tessera::formats::awq
