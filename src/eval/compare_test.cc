#include "eval/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/compare_report.h"

namespace tessera::eval {
namespace {

TEST(Compare, MeasuresEveryModelAgainstTheFirst) {
  CompareOptions options;
  options.context = options.stride = 64;
  options.speed = {.prompt = 32, .decode = 4, .repeats = 1};
  for (const char* quantization : {"", "w8a8_int8"}) {
    ComparedModel model{.name = std::string("<") + quantization + ">", .load = {}};
    model.load.model_path = TESSERA_SOURCE_DIR "/tests/golden/models/qwen3-moe";
    model.load.quantization = quantization;
    model.load.threads = 2;
    options.models.push_back(std::move(model));
  }
  std::vector<int32_t> ids;
  for (int32_t at = 0; at < 200; ++at)
    ids.push_back((at * 37 + 11) % 512);
  const auto rows = compare_models(options, ids);
  ASSERT_TRUE(rows.has_value()) << rows.error().message();
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_FALSE((*rows)[0].mean_kl.has_value());
  EXPECT_GT((*rows)[1].mean_kl.value_or(0), 0);
  EXPECT_LT((*rows)[1].bytes, (*rows)[0].bytes);
  EXPECT_NEAR((*rows)[1].perplexity / (*rows)[0].perplexity, 1, 0.2);
  EXPECT_GT((*rows)[0].speed.decode_tokens_per_s, 0);

  const auto json = to_json(*rows);
  EXPECT_EQ(json["models"][1]["scheme"], (*rows)[1].scheme);
  EXPECT_FALSE(json["models"][0].contains("mean_kl"));
  EXPECT_FALSE(json["models"][1].contains("accuracy")) << "GSM8K was not asked for";

  const std::string text = to_text(*rows);
  EXPECT_EQ(std::ranges::count(text, '\n'), 3);
  EXPECT_EQ(text.find("GSM8K"), std::string::npos);

  const std::string html = to_html(*rows, "a&b.txt");
  EXPECT_NE(html.find("a&amp;b.txt"), std::string::npos);
  EXPECT_NE(html.find("&lt;w8a8_int8&gt;"), std::string::npos) << "names are escaped";
  EXPECT_EQ(html.find("<w8a8"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
  EXPECT_EQ(html.find("://"), std::string::npos) << "the page opens without a network";
}

TEST(Compare, NamesTheModelThatDoesNotLoad) {
  CompareOptions options;
  options.models.push_back({.name = "mine", .load = {}});
  options.models[0].load.model_path = "/nonexistent";
  const auto rows = compare_models(options, std::vector<int32_t>{1, 2, 3});
  ASSERT_FALSE(rows.has_value());
  EXPECT_TRUE(rows.error().message().starts_with("mine: ")) << rows.error().message();
}

}  // namespace
}  // namespace tessera::eval
