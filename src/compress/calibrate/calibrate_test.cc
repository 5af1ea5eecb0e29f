#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/file.h"
#include "compress/calibrate/calibration_text.h"
#include "compress/float_model_test_support.h"
#include "formats/hf/model_dir.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::HasSubstr;

std::string write(const TestDirectory& directory, const std::string& name, const std::string& content) {
  const std::string path = directory.path() + "/" + name;
  EXPECT_TRUE(write_text_file(path, content).has_value());
  return path;
}

TEST(CalibrationText, CutsWholeSequences) {
  const auto own = read_calibration(tiny_model("qwen3"), {.file = {}, .sequences = 3, .length = 50}, 4096);
  ASSERT_TRUE(own.has_value()) << own.error().message();
  EXPECT_EQ(own->ids.size(), 150U);
  EXPECT_EQ(own->length, 50);
  const TestDirectory directory;
  std::string words;
  for (int i = 0; i < 40; ++i)
    words += "one two three ";
  const auto text = read_calibration(
      tiny_model("qwen3"), {.file = write(directory, "a.txt", words), .sequences = 9, .length = 16}, 4096);
  ASSERT_TRUE(text.has_value()) << text.error().message();
  EXPECT_EQ(text->ids.size() % 16, 0U);
  EXPECT_GE(text->ids.size(), 16U);
}

TEST(CalibrationText, ReadsLinesOfJson) {
  const TestDirectory directory;
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += "{\"text\": \"one two three four five\"}\n\n";
  const std::string file = write(directory, "a.jsonl", lines);
  EXPECT_TRUE(
      read_calibration(tiny_model("qwen3"), {.file = file, .sequences = 2, .length = 16}, 4096).has_value());
  const std::string bad = write(directory, "b.jsonl", lines + "{\"texts\": 1}\n");
  const auto refused =
      read_calibration(tiny_model("qwen3"), {.file = bad, .sequences = 2, .length = 16}, 4096);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(),
              HasSubstr("b.jsonl:81: expected an object with \"text\" or \"messages\""));
  const auto short_text = read_calibration(
      tiny_model("qwen3"), {.file = write(directory, "c.txt", "one"), .sequences = 1, .length = 64}, 4096);
  ASSERT_FALSE(short_text.has_value());
  EXPECT_THAT(short_text.error().message(), HasSubstr("expected at least 64"));
}

double kl_of(const std::string& name, QuantizeOptions options) {
  const auto done = quantize_directory(options);
  EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message());
  const auto reference = load(tiny_model(name)), quantized = load(options.output);
  EXPECT_TRUE(quantized.has_value()) << (quantized ? "" : quantized.error().message());
  // Text, as it was calibrated on: weights that nobody trained treat other tokens in another way.
  const auto text = read_calibration(tiny_model(name), {.file = {}, .sequences = 40, .length = 64}, 4096);
  const std::vector<int32_t> ids(text->ids.end() - 128, text->ids.end());
  return mean_kl(logits_of(**reference, ids), logits_of(**quantized, ids));
}

TEST(CalibratedQuantize, IsNearerThanRoundingToNearest) {
  for (const std::string name : {"qwen3", "qwen3-moe", "llama"}) {
    const TestDirectory plain, gptq, again;
    QuantizeOptions by_rounding = options_for(name, plain, "w4a8");
    by_rounding.group_size = 0;
    const double rounded = kl_of(name, by_rounding);
    const auto calibrated = [&](const TestDirectory& directory) {
      QuantizeOptions options = options_for(name, directory, "w4a8");
      options.group_size = 0;
      options.method = Method::kGptq;
      options.clip = quant::Clip::kLeastSquares;
      options.rotate = RotateOptions{.seed = 1, .online = true};
      options.calibration = {.file = {}, .sequences = 32, .length = 64};
      return options;
    };
    const double by_gptq = kl_of(name, calibrated(gptq));
    EXPECT_LT(by_gptq, rounded) << name;
    RecordProperty(name, std::to_string(by_gptq) + " of " + std::to_string(rounded));
    // The same bytes again.
    kl_of(name, calibrated(again));
    const auto bytes = [](const TestDirectory& directory) {
      return *read_text_file(directory.path() + "/model.safetensors", 1 << 26);
    };
    EXPECT_EQ(bytes(gptq), bytes(again)) << name;
  }
}

TEST(CalibratedQuantize, NamesExpertsThatSawNothing) {
  const TestDirectory directory;
  QuantizeOptions options = options_for("qwen3-moe", directory, "w4a8");
  options.group_size = 0;
  options.method = Method::kGptq;
  options.calibration = {.file = {}, .sequences = 1, .length = 16};
  const auto done = quantize_directory(options);
  ASSERT_TRUE(done.has_value()) << done.error().message();
  const CalibrationSummary& seen = done->calibration;
  EXPECT_EQ(seen.least_rows == 0, !seen.unseen.empty());
  EXPECT_THAT(seen.unfactored, testing::IsEmpty());
  for (const std::string& name : seen.unseen)
    EXPECT_THAT(name, HasSubstr(".experts."));
  const auto config = *formats::open_model_dir(tiny_model("qwen3-moe"));
  const auto experts = config.config["num_experts"].get<size_t>();
  EXPECT_EQ(seen.expert_rows.size() % experts, 0U);
  EXPECT_EQ(std::accumulate(seen.expert_rows.begin(), seen.expert_rows.end(), int64_t{0}),
            static_cast<int64_t>(seen.expert_rows.size() / experts) * 16 *
                config.config["num_experts_per_tok"].get<int64_t>());
}

}  // namespace
}  // namespace tessera::compress
