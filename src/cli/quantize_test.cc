#include "cli/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/inspect.h"
#include "formats/hf/model_dir.h"
#include "formats/test_directory.h"

namespace tessera::cli {
namespace {

using testing::HasSubstr;

QuantizeArguments parse(const std::string& line) {
  CLI::App app;
  QuantizeArguments arguments;
  add_quantize_options(app, arguments);
  app.parse(line);
  return arguments;
}

TEST(QuantizeCommand, ParsesItsOptions) {
  const auto defaults = parse("--model-path m --output o --scheme w4a4");
  EXPECT_EQ(defaults.options.model_path, "m");
  EXPECT_EQ(defaults.options.output, "o");
  EXPECT_EQ(defaults.options.scheme, "w4a4");
  EXPECT_FALSE(defaults.options.force);
  const auto all = parse(
      "--model-path m -o o --scheme w4a4 --method rtn --format compressed-tensors --group-size 64 --storage "
      "int --threads 2 "
      "--lm-head w8a8 --ignore .*down_proj$ --ignore .*o_proj$ --force");
  EXPECT_THAT(all.options.ignore, testing::ElementsAre(".*down_proj$", ".*o_proj$"));
  EXPECT_EQ(all.group_size, "64");
  EXPECT_EQ(all.storage, "int");
  EXPECT_TRUE(all.options.force);
  EXPECT_EQ(all.options.lm_head, "w8a8");
  EXPECT_EQ(defaults.options.lm_head, "none");
  EXPECT_THROW(parse("--model-path m --output o"), CLI::RequiredError);
  EXPECT_THROW(parse("--model-path m --output o --scheme w8a8 --method awq"), CLI::ValidationError);
  EXPECT_THROW(parse("--model-path m --output o --scheme w8a8 --format gguf"), CLI::ValidationError);
}

TEST(QuantizeCommand, WritesWhatInspectReads) {
  const formats::TestDirectory directory;
  const std::string out = directory.path() + "/out";
  const std::string line =
      "--model-path " TESSERA_SOURCE_DIR "/tests/golden/models/qwen3 --scheme w4a4 --output " + out;
  const auto done = run_quantize(parse(line + " --group-size 32"));
  ASSERT_TRUE(done.has_value()) << done.error().message();
  EXPECT_EQ(formats::open_model_dir(out)
                ->config["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"],
            32);
  testing::internal::CaptureStdout();
  ASSERT_TRUE(run_inspect({.directory = out, .json = true}).has_value());
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("\"w4a4-g32\""));
  testing::internal::CaptureStdout();
  ASSERT_TRUE(run_inspect({.directory = out, .json = false}).has_value());
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("refusals      none"));
}

TEST(QuantizeCommand, GptqRotationsAndGroupsReachTheCheckpoint) {
  const formats::TestDirectory directory;
  const std::string out = directory.path() + "/out";
  const std::string line = "--model-path " TESSERA_SOURCE_DIR
                           "/tests/golden/models/qwen3 --scheme w4a4 --group-size 32 "
                           "--activation-group 32 --method gptq --rotate online --clip mse "
                           "--calibration-sequences 4 --calibration-length 32 --output " +
                           out;
  testing::internal::CaptureStdout();
  const auto done = run_quantize(parse(line));
  const std::string printed = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(done.has_value()) << done.error().message();
  EXPECT_THAT(printed, HasSubstr("w4a4-g32-xg32"));
  EXPECT_THAT(printed, HasSubstr("calibrated on 128 rows or more each"));
  const auto config = formats::open_model_dir(out)->config;
  EXPECT_FALSE(config["tie_word_embeddings"].get<bool>());
  const auto& quantization = config["quantization_config"];
  EXPECT_EQ(quantization["config_groups"]["group_0"]["input_activations"]["group_size"], 32);
  EXPECT_EQ(quantization["transform_config"]["config_groups"]["R4"]["type"], "hadamard");
  testing::internal::CaptureStdout();
  ASSERT_TRUE(run_inspect({.directory = out, .json = false}).has_value());
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("refusals      none"));
}

TEST(QuantizeCommand, BadValuesAreOneError) {
  const std::string line =
      "--model-path " TESSERA_SOURCE_DIR "/tests/golden/models/qwen3 --output /nonexistent/o ";
  const std::pair<const char*, const char*> cases[] = {
      {"--scheme w5a5", "--scheme=w5a5"},
      {"--scheme w4a4 --group-size 48", "--group-size=48"},
      {"--scheme w4a4 --storage zip", "--storage=zip"},
      {"--scheme w8a8 --activation-group 32", "--activation-group=32"},
      {"--scheme w8a8 --calibration a.txt", "--calibration=a.txt"},
      {"--scheme w4a8 --group-size channel --method gptq "
       "--calibration-length 131072",
       "--calibration-length=131072"}};
  for (const auto& [options, message] : cases) {
    const auto status = run_quantize(parse(line + options));
    ASSERT_FALSE(status.has_value());
    EXPECT_THAT(status.error().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace tessera::cli
