// Every case of tests/golden/text/chat: what transformers' apply_chat_template renders, byte for byte, and
// where it fails.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "text/chat_template.h"

namespace tessera::text {
namespace {

using Json = nlohmann::ordered_json;

class ChatGolden : public testing::TestWithParam<const char*> {};

SpecialTokens special_tokens_of(const Json& golden) {
  SpecialTokens tokens;
  for (const auto& [role, token] : golden["special_tokens"].items())
    tokens.emplace_back(role, token.get<std::string>());
  return tokens;
}

void check_case(const Result<ChatTemplate>& compiled, const Json& test) {
  SCOPED_TRACE(test["name"].get<std::string>());
  auto rendered = compiled ? compiled->render(test["messages"], test["tools"],
                                              test["add_generation_prompt"].get<bool>(), test["kwargs"])
                           : Result<std::string>(compiled.error());
  if (test.contains("error")) {
    EXPECT_FALSE(rendered) << "transformers fails with " << test["error"] << ", we render " << *rendered;
    return;
  }
  ASSERT_TRUE(rendered) << rendered.error().message();
  EXPECT_EQ(*rendered, test["expected"].get<std::string>());
}

TEST_P(ChatGolden, RendersAsTransformers) {
  const auto path = std::filesystem::path(TESSERA_SOURCE_DIR) / "tests/golden/text/chat" /
                    (std::string(GetParam()) + ".json");
  const auto text = read_text_file(path, 1 << 20);
  ASSERT_TRUE(text) << text.error().message();
  const Json golden = Json::parse(*text);
  ASSERT_FALSE(golden["templates"].empty());
  for (const Json& entry : golden["templates"]) {
    const auto compiled =
        ChatTemplate::compile(entry["template"].get<std::string>(), special_tokens_of(golden));
    ASSERT_FALSE(entry["cases"].empty());
    for (const Json& test : entry["cases"])
      check_case(compiled, test);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ChatGolden, testing::Values("smollm2", "qwen2_5", "qwen3", "features"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace tessera::text
