#include "text/grammar_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tessera::text {
namespace {

TEST(GrammarCheck, TakesWhatCanBeHonoured) {
  EXPECT_TRUE(check_grammar("json_schema", R"({"type":"object","properties":{"a":{"type":"integer"}}})"));
  EXPECT_TRUE(check_grammar("regex", "[a-z]+(-[0-9]{2})?"));
  EXPECT_TRUE(check_grammar("lark", "start: \"yes\" | \"no\""));
}

TEST(GrammarCheck, RefusesWhatCannot) {
  for (const auto& [kind, source] : std::initializer_list<std::pair<const char*, const char*>>{
           {"json_schema", "{"},
           {"json_schema", R"({"type":"no such type"})"},
           {"regex", "(a"},
           {"lark", "start: missing"},
           {"ebnf", "start: \"a\""}}) {
    const Status status = check_grammar(kind, source);
    ASSERT_FALSE(status) << kind << " " << source;
    EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument) << status.error().message();
    EXPECT_THAT(status.error().message(), testing::HasSubstr(kind));
  }
}

}  // namespace
}  // namespace tessera::text
