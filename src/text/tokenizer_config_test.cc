#include "text/tokenizer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace tessera::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(TokenizerConfig, ReadsTokensAsStringsAndAsObjects) {
  const auto config = TokenizerConfig::from_json(
      R"({"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false},"pad_token":null,"add_bos_token":true})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->bos_token, "<s>");
  EXPECT_EQ(config->eos_token, "</s>");
  EXPECT_EQ(config->pad_token, std::nullopt);
  EXPECT_TRUE(config->add_bos_token);
  EXPECT_EQ(config->chat_template, std::nullopt);
  EXPECT_THAT(config->special_tokens(), ElementsAre(Pair("bos_token", "<s>"), Pair("eos_token", "</s>")));
}

TEST(TokenizerConfig, ReadsOneTemplateOrSeveral) {
  EXPECT_EQ(TokenizerConfig::from_json(R"({"chat_template":"x"})")->chat_template, "x");
  const auto several = TokenizerConfig::from_json(
      R"({"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]})");
  ASSERT_TRUE(several);
  EXPECT_EQ(several->chat_template, "d");
  EXPECT_THAT(several->named_chat_templates, ElementsAre(Pair("tool_use", "t")));
}

TEST(TokenizerConfig, NamesWhatIsWrong) {
  for (const auto& [text, named] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", "JSON object"},
           {"[1]", "JSON object"},
           {R"({"bos_token":3})", "bos_token"},
           {R"({"eos_token":{"text":"x"}})", "eos_token"},
           {R"({"eos_token":{"content":1}})", "eos_token"},
           {R"({"add_bos_token":"yes"})", "add_bos_token"},
           {R"({"chat_template":7})", "chat_template"},
           {R"({"chat_template":[{"name":"default"}]})", "chat_template"},
           {R"({"chat_template":["x"]})", "chat_template"}}) {
    const auto config = TokenizerConfig::from_json(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code(), ErrorCode::kDataCorrupt);
    EXPECT_THAT(config.error().message(), HasSubstr(named));
  }
}

TEST(TokenizerConfig, BombsAreRefusedBeforeTheyAreBuilt) {
  std::string wide = "{\"a\":[";
  for (int i = 0; i < 4'000'000; ++i)
    wide += "[],";
  for (const std::string& text : {"{\"a\":" + std::string(1'000'000, '['), wide + "1]}"}) {
    const auto config = TokenizerConfig::from_json(text);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code(), ErrorCode::kResourceExhausted);
  }
  EXPECT_FALSE(TokenizerConfig::from_json(std::string_view("{}\0{", 4)));
}

TEST(TokenizerConfig, LinksLeadOutOfTheDirectoryForNoFile) {
  namespace fs = std::filesystem;
  for (const char* name : {"chat_template.jinja", "tokenizer_config.json"}) {
    const fs::path root = fs::path(testing::TempDir()) / "tessera_tokenizer_config_links";
    fs::remove_all(root);
    fs::create_directories(root / "model");
    ASSERT_TRUE(write_text_file(root / "secret", "{}"));
    fs::create_symlink(root / "secret", root / "model" / name);
    const auto config = TokenizerConfig::load(root / "model");
    fs::remove_all(root);
    ASSERT_FALSE(config) << name;
    EXPECT_EQ(config.error().code(), ErrorCode::kInvalidArgument) << name;
    EXPECT_THAT(config.error().message(), HasSubstr("expected a file below")) << name;
  }
}

TEST(TokenizerConfig, TheFileBesideWinsAndAbsenceIsNoError) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "tessera_tokenizer_config_test";
  std::filesystem::create_directories(folder);
  const auto absent = TokenizerConfig::load(folder);
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->chat_template, std::nullopt);
  ASSERT_TRUE(
      write_text_file(folder / "tokenizer_config.json", R"({"chat_template":"inside","bos_token":"<s>"})"));
  EXPECT_EQ(TokenizerConfig::load(folder)->chat_template, "inside");
  ASSERT_TRUE(write_text_file(folder / "chat_template.jinja", "beside"));
  const auto both = TokenizerConfig::load(folder);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->chat_template, "beside");
  EXPECT_EQ(both->bos_token, "<s>");
}

}  // namespace
}  // namespace tessera::text
