#include "formats/json_limits.h"

#include <gtest/gtest.h>

namespace tessera::formats {
namespace {

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = parse_json(text, "test.json", limits);
  return parsed.has_value() ? "accepted: " + parsed->dump() : parsed.error().message();
}

TEST(JsonLimits, ReadsEveryKindOfValue) {
  const auto parsed =
      parse_json(R"( {"a":[1,-2,2.5,true,null,{"b":"\u00e9\ud83d\ude00"}],"c":{}} )", "test.json");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  const auto expected =
      nlohmann::json::parse(R"({"a":[1,-2,2.5,true,null,{"b":"\u00e9\ud83d\ude00"}],"c":{}})");
  EXPECT_EQ(*parsed, expected);
  EXPECT_TRUE((*parsed)["a"][0].is_number_unsigned());
  EXPECT_EQ(*parse_json("7", "test.json"), 7);
}

TEST(JsonLimits, MessagesNameTheFile) {
  EXPECT_EQ(error_of("{").rfind("test.json: not valid JSON at byte ", 0), 0U);
}

TEST(JsonLimits, RefusesBadSyntax) {
  for (const std::string text : {"", " ", "{", "[1,]", "{\"a\":1,}", "{} {}", "nul", "\"\\x\"", "\"\n\"",
                                 "01", "1e999", "{'a':1}", "[1 2]", "NaN", "// c\n1"}) {
    EXPECT_NE(error_of(text).find("not valid JSON"), std::string::npos) << text << " -> " << error_of(text);
  }
}

TEST(JsonLimits, RefusesDuplicateKeys) {
  EXPECT_EQ(error_of(R"({"a":1,"b":{"c":1,"c":2}})"), "test.json: duplicate key \"c\"");
  EXPECT_EQ(error_of(R"({"a":1,"\u0061":2})"), "test.json: duplicate key \"a\"");
}

TEST(JsonLimits, RefusesDepth) {
  const JsonLimits limits{.max_depth = 3};
  EXPECT_TRUE(parse_json("[[[1]]]", "test.json", limits).has_value());
  EXPECT_EQ(error_of("[[{\"a\":[1]}]]", limits), "test.json: JSON is nested deeper than 3 levels");
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), "test.json: JSON is nested deeper than 64 levels");
}

TEST(JsonLimits, RefusesSizeAndCount) {
  EXPECT_EQ(error_of("[1,2]", {.max_bytes = 4}), "test.json: JSON of 5 bytes, expected at most 4");
  EXPECT_EQ(error_of("[1,2]", {.max_values = 2}), "test.json: JSON has more than 2 values");
}

TEST(JsonLimits, RefusesBytesThatAreNotUtf8) {
  for (const std::string text : {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                                 "\"\xe2\x82\"", R"("\ud800")"}) {
    EXPECT_NE(error_of(text).find("not valid JSON"), std::string::npos) << error_of(text);
  }
}

TEST(JsonLimits, RefusesNulAndWhatFollows) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of("{}\0{}"s), "test.json: not valid JSON at byte 2: NUL byte");
}

TEST(JsonLimits, DumpRefusesBytesThatAreNotUtf8) {
  EXPECT_EQ(*dump_json(nlohmann::json{{"a", 1}}, "x", -1), "{\"a\":1}");
  EXPECT_FALSE(dump_json(nlohmann::json("\xff"), "x").has_value());
}

}  // namespace
}  // namespace tessera::formats
