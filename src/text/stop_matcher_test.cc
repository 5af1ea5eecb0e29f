#include "text/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace tessera::text {
namespace {

struct Outcome {
  std::string text;
  std::optional<std::string> matched;
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << '"' << outcome.text << "\" stopped by " << outcome.matched.value_or("(nothing)");
}

// The definition: the stop string that is complete at the earliest byte, the longest of several.
Outcome naive(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    const std::string* best = nullptr;
    for (const std::string& stop : stops) {
      if (!stop.empty() && std::string_view(text).substr(0, end).ends_with(stop) &&
          (!best || stop.size() > best->size()))
        best = &stop;
    }
    if (best) return {text.substr(0, end - best->size()), *best};
  }
  return {text, {}};
}

Outcome streamed(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  StopMatcher matcher(stops);
  Outcome out;
  for (const std::string& piece : pieces) {
    auto [text, matched, ending] = matcher.push(piece);
    out.text += text;
    if (matched) {
      out.matched = matched;
      return out;
    }
  }
  out.text += matcher.finish();
  return out;
}

TEST(StopMatcher, ReleasesEverythingWithoutStops) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.push("abc").text, "abc");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, HoldsBackAPossibleBeginning) {
  StopMatcher matcher({"\n\nUser:"});
  EXPECT_EQ(matcher.push("Hello\n").text, "Hello");
  EXPECT_EQ(matcher.push("\nUs").text, "");
  EXPECT_EQ(matcher.push("e it").text, "\n\nUse it");
  EXPECT_EQ(matcher.push("\n").text, "");
  EXPECT_EQ(matcher.finish(), "\n");
}

TEST(StopMatcher, TrimsTheMatchAndWhatFollows) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.push("one E").text, "one ");
  const auto piece = matcher.push("ND two");
  EXPECT_EQ(piece.text, "");
  EXPECT_EQ(piece.matched, "END");
  EXPECT_EQ(matcher.push("more").text, "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, TheEarliestEndWinsThenTheLongest) {
  EXPECT_EQ(streamed({"xabcd"}, {"abcd", "bc"}), (Outcome{"xa", "bc"}));
  EXPECT_EQ(streamed({"xabc"}, {"c", "bc", "abc"}), (Outcome{"x", "abc"}));
}

TEST(StopMatcher, EmptyStopStringsNeverMatch) {
  EXPECT_EQ(streamed({"abc"}, {"", "b"}), (Outcome{"a", "b"}));
  EXPECT_EQ(streamed({"abc"}, {""}), (Outcome{"abc", {}}));
}

TEST(StopMatcher, FindsOverlappingBeginnings) {
  EXPECT_EQ(streamed({"a", "a", "a", "b"}, {"aab"}), (Outcome{"a", "aab"}));
  EXPECT_EQ(streamed({"abababc"}, {"ababc"}), (Outcome{"ab", "ababc"}));
}

TEST(StopMatcher, ReleasesWholeCharacters) {
  StopMatcher matcher({"你"});               // E4 BD A0
  EXPECT_EQ(matcher.push("佢").text, "佢");  // E4 BD A2
}

TEST(StopMatcher, AgreesWithNaiveSearchHoweverTheTextIsCut) {
  std::mt19937 random(5);
  const auto word = [&](size_t longest) {
    std::string text;
    for (size_t n = random() % (longest + 1); n > 0; --n)
      text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n)
      stops.push_back(word(6));
    std::vector<std::string> pieces;
    std::string text;
    for (size_t n = random() % 8; n > 0; --n) {
      pieces.push_back(word(5));
      text += pieces.back();
    }
    ASSERT_EQ(streamed(pieces, stops), naive(text, stops)) << text << " " << testing::PrintToString(stops);
  }
}

// Held back is never more than needed: after each piece the released text plus the longest possible beginning
// is everything.
TEST(StopMatcher, HoldsBackNoMoreThanABeginning) {
  std::mt19937 random(6);
  for (int round = 0; round < 2000; ++round) {
    const std::string stop = {'a', static_cast<char>('a' + random() % 2),
                              static_cast<char>('a' + random() % 2), 'c'};
    StopMatcher matcher({stop});
    std::string all;
    std::string released;
    for (int n = 0; n < 10; ++n) {
      all += static_cast<char>('a' + random() % 2);
      released += matcher.push(all.substr(all.size() - 1)).text;
      size_t needed = stop.size() - 1;
      while (!all.ends_with(std::string_view(stop).substr(0, needed)))
        --needed;
      ASSERT_EQ(released, all.substr(0, all.size() - std::min(needed, all.size()))) << all << " " << stop;
    }
  }
}

}  // namespace
}  // namespace tessera::text
