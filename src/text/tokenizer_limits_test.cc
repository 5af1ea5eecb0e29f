// What a hostile tokenizer.json asks for is refused when it is loaded or bounded when it is used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "text/test_tokenizers.h"

namespace tessera::text {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json replace(const json& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

json sequence(const char* key, const json& step, int count) {
  json steps = json::array();
  for (int i = 0; i < count; ++i)
    steps.push_back(step);
  return {{"type", "Sequence"}, {key, steps}};
}

json with(const char* part, const json& value) {
  json tokenizer = byte_level_json();
  tokenizer[part] = value;
  return tokenizer;
}

json with_model(const char* key, const json& value) {
  json tokenizer = byte_level_json();
  tokenizer["model"][key] = value;
  return tokenizer;
}

json split(const char* regex) {
  return {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}};
}

void expect_refused(const json& tokenizer, const char* named) {
  const auto loaded = Tokenizer::from_json(tokenizer.dump());
  ASSERT_FALSE(loaded) << named;
  EXPECT_EQ(loaded.error().code(), ErrorCode::kDataCorrupt) << named;
  EXPECT_THAT(loaded.error().message(), testing::AllOf(HasSubstr("tokenizer.json"), HasSubstr(named)));
}

TEST(TokenizerLimits, TextsThatGrow) {
  const json doubling = replace({{"String", "e"}}, "ee");
  expect_refused(with("normalizer", sequence("normalizers", doubling, 60)), "growth of a text");
  expect_refused(with("normalizer", replace({{"Regex", ""}}, std::string(5000, 'x'))), "growth of a text");
  expect_refused(with("normalizer", replace({{"String", ""}}, std::string(5000, 'x'))), "growth of a text");
  json untyped = replace({{"String", "e"}}, std::string(5000, 'x'));
  untyped.erase("type");
  expect_refused(with("normalizer", untyped), "growth of a text");
  const json prepend = {{"type", "Prepend"}, {"prepend", std::string(100, 'x')}};
  expect_refused(with("normalizer", sequence("normalizers", prepend, 2)), "growth of a text");
  expect_refused(with("pre_tokenizer", sequence("pretokenizers", byte_level_json()["pre_tokenizer"], 60)),
                 "growth of a text");
  expect_refused(with("decoder", sequence("decoders", doubling, 60)), "growth of a token");
  EXPECT_TRUE(Tokenizer::from_json(with("normalizer", sequence("normalizers", doubling, 8)).dump()));
}

TEST(TokenizerLimits, WhatIsTooLarge) {
  json many = json::array();
  for (int i = 0; i < 3000; ++i)
    many.push_back({{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}});
  json tokenizer = byte_level_json();
  tokenizer["post_processor"]["single"] = many;
  expect_refused(tokenizer, "number of values in post_processor");
  expect_refused(with("pre_tokenizer", split(std::string(20'000, 'x').c_str())), "length of a text");
  tokenizer = byte_level_json();
  tokenizer["model"]["vocab"][std::string(9000, 'x')] = 300;
  expect_refused(tokenizer, "longest token");
  tokenizer = byte_level_json();
  tokenizer["added_tokens"].push_back(added_token(263, std::string(9000, 'x'), true));
  expect_refused(tokenizer, "longest token");
  expect_refused(with_model("continuing_subword_prefix", std::string(2000, 'x')),
                 "continuing_subword_prefix");
  expect_refused(with_model("unk_token", std::string(2000, 'x')), "unk_token");
  json word_piece = byte_level_json();
  word_piece["model"] = {{"type", "WordPiece"},
                         {"unk_token", "a"},
                         {"continuing_subword_prefix", "##"},
                         {"max_input_chars_per_word", 1 << 30},
                         {"vocab", {{"a", 0}}}};
  expect_refused(word_piece, "max_input_chars_per_word");
}

// The library allocates what the table's first four bytes say.
TEST(TokenizerLimits, ATableThatLiesAboutItsLength) {
  const auto charsmap = [](const char* base64) {
    return with("normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", base64}});
  };
  expect_refused(charsmap("/////2FiYw=="), "trie in precompiled_charsmap is 4294967295, expected at most 3");
  expect_refused(charsmap("AAA="), "precompiled_charsmap has no length");
  expect_refused(charsmap("*"), "precompiled_charsmap");
}

TEST(TokenizerLimits, ExpressionsOfNormalizersMustBeQuick) {
  for (const char* regex : {"(a+)+b", "a*a*b", "(?=a)", "a\\g<0>?", "[a]+|b+c*"})
    expect_refused(with("normalizer", replace({{"Regex", regex}}, "")), "can take time without end");
  for (const char* regex : {" {2,}", "\\s+", "^\\s+|\\s+$", "\\(+", "[0-9]"})
    EXPECT_TRUE(Tokenizer::from_json(with("normalizer", replace({{"Regex", regex}}, " ")).dump())) << regex;
}

// One takes 2^40 steps at the first character, the other a million at each.
TEST(TokenizerLimits, ExpressionsThatTakeForeverAreStopped) {
  const std::string text = std::string(180, 'a') + "c";
  std::string long_text;
  for (int i = 0; i < 100; ++i)
    long_text += text;
  for (const auto& [regex, input] : {std::pair{"(a+)+b", text}, std::pair{"(?=a*a*a*b|)a", long_text}}) {
    const Tokenizer tokenizer = make_tokenizer(with("pre_tokenizer", split(regex)));
    const auto ids = tokenizer.encode(input, false);
    ASSERT_FALSE(ids) << regex;
    EXPECT_EQ(ids.error().code(), ErrorCode::kResourceExhausted) << regex;
    EXPECT_THAT(ids.error().message(), HasSubstr("regular expressions take too")) << regex;
    EXPECT_TRUE(tokenizer.encode("b", false)) << regex;
  }
  // Deep, wide and broken ones.
  const std::string nested = std::string(3000, '(') + "a" + std::string(3000, ')');
  for (const std::string& regex : {nested, std::string("((((a{99}){99}){99}){99})"), std::string("[z-a]")}) {
    const auto loaded = Tokenizer::from_json(with("pre_tokenizer", split(regex.c_str())).dump());
    if (loaded) (void)loaded->encode(text, false);
  }
}

TEST(TokenizerLimits, LongTextsOfGrowingTokenizersAreRefused) {
  const Tokenizer tokenizer =
      make_tokenizer(with("normalizer", replace({{"String", "e"}}, std::string(1000, 'e'))));
  EXPECT_TRUE(tokenizer.encode("he", false));
  const auto ids = tokenizer.encode(std::string(1 << 20, 'h'), false);
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(ids.error().message(), HasSubstr("a text of 1048576 bytes"));
}

TEST(TokenizerLimits, WhatTheLibraryPanicsOverIsAnError) {
  const Tokenizer zero = make_tokenizer(with("pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}));
  EXPECT_FALSE(zero.encode("abc", false));
  const json strip = {{"type", "Strip"}, {"content", "a"}, {"start", 0}, {"stop", 9}};
  EXPECT_FALSE(make_tokenizer(with("decoder", strip)).decode(std::vector<int32_t>{'a'}, false));
}

TEST(TokenizerLimits, LinksLeadOutOfTheDirectoryForNoFile) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "tessera_tokenizer_limits_test";
  fs::remove_all(root);
  fs::create_directories(root / "model");
  ASSERT_TRUE(write_text_file(root / "tokenizer.json", byte_level_json().dump()));
  fs::create_symlink("../tokenizer.json", root / "model/tokenizer.json");
  const auto loaded = Tokenizer::load(root / "model");
  EXPECT_TRUE(Tokenizer::load(root / "model/tokenizer.json"));  // named by the user
  fs::remove_all(root);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(loaded.error().message(), HasSubstr("expected a file below"));
}

}  // namespace
}  // namespace tessera::text
