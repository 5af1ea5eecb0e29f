#include "text/stop_regex.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>

#include "text/stop_matcher.h"

namespace tessera::text {
namespace {

/// Where the first match to be complete begins and ends in `text`.
std::optional<std::pair<size_t, size_t>> found(const std::string& pattern, std::string_view text) {
  auto regex = StopRegex::compile(pattern);
  EXPECT_TRUE(regex.has_value()) << regex.error().message();
  if (!regex) return std::nullopt;
  for (size_t end = 1; end <= text.size(); ++end) {
    if (const auto bytes = regex->advance(text[end - 1])) return std::pair(end - *bytes, end);
  }
  return std::nullopt;
}
std::string match(const std::string& pattern, std::string_view text) {
  const auto place = found(pattern, text);
  return place ? std::string(text.substr(place->first, place->second - place->first)) : "(nothing)";
}
std::string refusal(const std::string& pattern) {
  const auto regex = StopRegex::compile(pattern);
  return regex ? "(accepted)" : regex.error().message();
}

TEST(StopRegex, EndsWithTheFirstCompleteMatch) {
  EXPECT_EQ(match("\\d+", "page 42"), "4");
  EXPECT_EQ(match("\\d+\\.", "page 42."), "42.");
  EXPECT_EQ(match("b|abc", "xabc"), "b");
  EXPECT_EQ(match("[A-Z][a-z]{2,3}!", "oh Dearer! Dea!"), "Dea!");
  EXPECT_EQ(match("(?:ab)*c", "ababc"), "ababc");
  EXPECT_EQ(match("a.c", "a\nc abc"), "abc");
  EXPECT_EQ(match("\\n\\s*\\n", "one\n  \ntwo"), "\n  \n");
  EXPECT_EQ(match("x{,2}y", "xxxy"), "xxy");
  EXPECT_EQ(match("a{b", "a{b"), "a{b");
  EXPECT_EQ(match("[^\\w ]", "word word;"), ";");
  EXPECT_EQ(match("[]-]", "a-b"), "-");
  EXPECT_EQ(match("\\$\\{", "a ${b}"), "${");
}

TEST(StopRegex, CharactersNotBytes) {
  EXPECT_EQ(match("[ä-ü]", "aüb"), "ü");
  EXPECT_EQ(match("a.b", "a😀b"), "a😀b");
  EXPECT_EQ(match("[^a]", "a😀"), "😀");
}

TEST(StopRegex, TheBeginningOfTheTextAlone) {
  EXPECT_EQ(match("^no", "no, no"), "no");
  EXPECT_EQ(match("^no", "oh no"), "(nothing)");
  EXPECT_EQ(match("a|^b", "xb a"), "a");
}

TEST(StopRegex, MistakesAndWhatIsNotOfferedAreNamed) {
  EXPECT_EQ(refusal("a("), "regular expression \"a(\": a ( without its ) at byte 2");
  EXPECT_EQ(refusal("a)"), "regular expression \"a)\": a ) without its ( at byte 1");
  EXPECT_EQ(refusal("[a"), "regular expression \"[a\": a [ without its ] at byte 2");
  for (const char* pattern :
       {"*a", "a**", "(?=a)", "a$", "\\b", "\\1", "[z-a]", "a{3,2}", "a{2000}", "\\", "\xE2"})
    EXPECT_NE(refusal(pattern), "(accepted)") << pattern;
  for (const char* pattern : {"", "a*", "a|", "(a?){3}", "^", "()"})
    EXPECT_NE(refusal(pattern).find("the empty text matches"), std::string::npos) << pattern;
}

TEST(StopRegex, LargeAndDeepOnesAreRefusedQuickly) {
  EXPECT_NE(refusal("(a{1000}){1000}").find("needs more than 1000 states"), std::string::npos);
  EXPECT_NE(refusal("a(((((){1000}){1000}){1000}){1000})"), "");
  EXPECT_NE(refusal(std::string(500, '(') + "a" + std::string(500, ')')), "(accepted)");
  EXPECT_NE(refusal(std::string(1025, 'a')), "(accepted)");
}

TEST(StopRegex, WhatBacktrackingTakesForEverTakesNoTime) {
  EXPECT_EQ(match("(a*)*(a*)*(a|aa)+b", std::string(5000, 'a') + "c"), "(nothing)");
}

std::string random_pattern(std::mt19937& random, int depth) {
  const auto between = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  std::string text;
  for (int atoms = between(1, 3); atoms > 0; --atoms) {
    const int kind = between(0, depth > 0 ? 6 : 3);
    text += kind == 0   ? "a"
            : kind == 1 ? "b"
            : kind == 2 ? "[^b]"
            : kind == 3 ? "."
            : kind == 4 ? "(" + random_pattern(random, depth - 1) + ")"
            : kind == 5
                ? "(?:" + random_pattern(random, depth - 1) + "|" + random_pattern(random, depth - 1) + ")"
                : "(" + random_pattern(random, depth - 1) + "){1,2}";
    const int often = between(0, 7);
    if (often < 3) text += "*+?"[often];
  }
  return text;
}

TEST(StopRegex, AgreesWithTheDefinition) {
  int compared = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const std::string pattern = random_pattern(random, 2);
    if (!StopRegex::compile(pattern)) continue;  // the empty text matches
    ++compared;
    const std::regex standard(pattern);
    std::string text;
    for (int at = 0; at < 10; ++at)
      text += "abc"[random() % 3];
    std::optional<std::pair<size_t, size_t>> expected;
    for (size_t end = 1; end <= text.size() && !expected; ++end) {
      for (size_t start = 0; start < end && !expected; ++start) {
        if (std::regex_match(text.substr(start, end - start), standard)) expected = {start, end};
      }
    }
    EXPECT_EQ(found(pattern, text), expected) << pattern << " in " << text;
  }
  EXPECT_GT(compared, 150);
}

TEST(StopMatcher, HoldsBackWhatAnExpressionMayStillTake) {
  std::vector<StopRegex> regexes;
  regexes.push_back(*StopRegex::compile("\\d\\d?:\\d\\d"));
  StopMatcher matcher({"12:3x"}, std::move(regexes));
  EXPECT_EQ(matcher.push("at 1").text, "at ");
  EXPECT_EQ(matcher.push("1").text, "");
  EXPECT_EQ(matcher.push("2").text, "1") << "no match can begin with 112";
  EXPECT_EQ(matcher.push(":3").text, "");
  const auto last = matcher.push("4 sharp");
  EXPECT_EQ(last.text, "");
  EXPECT_EQ(last.matched, "\\d\\d?:\\d\\d");
  EXPECT_EQ(last.ending, "12:34");
}

}  // namespace
}  // namespace tessera::text
