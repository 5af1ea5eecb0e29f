#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/test_tokenizers.h"

namespace tessera::text {
namespace {

using Ids = std::vector<int32_t>;

// Whole characters only: what the standard's table of well-formed UTF-8 allows, by length.
bool is_whole_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (byte >= 0x80 && byte < 0xC2) return false;
    if (i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

std::vector<std::string> pieces_of(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  IncrementalDetokenizer detokenizer(tokenizer, skip_special);
  std::vector<std::string> pieces;
  for (const int32_t id : ids)
    pieces.push_back(detokenizer.push(id));
  pieces.push_back(detokenizer.finish());
  return pieces;
}

void expect_adds_up(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  std::string text;
  for (const std::string& piece : pieces_of(tokenizer, ids, skip_special)) {
    EXPECT_TRUE(is_whole_utf8(piece)) << testing::PrintToString(piece);
    text += piece;
  }
  EXPECT_EQ(text, *tokenizer.decode(ids, skip_special)) << testing::PrintToString(ids);
}

TEST(Detokenizer, HoldsBackHalfACharacter) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  // "h" F0.9F 98 80 "!"
  const auto pieces = pieces_of(tokenizer, {'h', 259, 0x98, 0x80, '!'}, true);
  EXPECT_EQ(pieces, (std::vector<std::string>{"h", "", "", "😀", "!", ""}));
}

TEST(Detokenizer, FinishReleasesAnIncompleteCharacter) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(pieces_of(tokenizer, {'h', 259, 0x98}, true), (std::vector<std::string>{"h", "", "", "\uFFFD"}));
}

TEST(Detokenizer, IsAsNewAfterFinish) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  IncrementalDetokenizer detokenizer(tokenizer, true);
  EXPECT_EQ(detokenizer.push(259), "");
  EXPECT_EQ(detokenizer.finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.push(256), "he");
  EXPECT_EQ(detokenizer.finish(), "");
}

TEST(Detokenizer, SkipsSpecialTokensAndIdsWithoutToken) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  const Ids ids = {260, 259, 261, 9999, -3, 0x98, 0x80, 262};
  EXPECT_EQ(pieces_of(tokenizer, ids, true),
            (std::vector<std::string>{"", "", "", "", "", "", "😀", "<tool>", ""}));
}

TEST(Detokenizer, KeepsLeadingSpacesAfterTheFirstToken) {
  const Tokenizer tokenizer = make_tokenizer(byte_fallback_json());
  EXPECT_EQ(pieces_of(tokenizer, {259, 259, 258, 260, 259}, true),
            (std::vector<std::string>{"a", " a", "b", "", " a", ""}));
  // The space that is taken off belongs to the first token alone, also when that one is nothing else.
  EXPECT_EQ(pieces_of(tokenizer, {256, 259}, true), (std::vector<std::string>{"", " a", ""}));
}

TEST(Detokenizer, ByteFallbackSpellsCharacters) {
  const Tokenizer tokenizer = make_tokenizer(byte_fallback_json());
  const auto ids = tokenizer.encode("a 你好😀b", false);
  ASSERT_TRUE(ids);
  expect_adds_up(tokenizer, *ids, true);
}

// Random texts and random tokens, broken bytes included.
TEST(Detokenizer, PiecesAddUpToDecode) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  std::mt19937 random(7);
  const std::vector<std::string> words = {"hello",  " ", "  ", "你好",    "😀",     "👩‍👩‍👧",
                                          "\uFFFD", "é", "\n", "<|end|>", "<tool>", "\u0301"};
  for (int round = 0; round < 300; ++round) {
    Ids ids;
    for (int part = 0; part < 12; ++part) {
      if (random() % 4 == 0) {
        ids.push_back(static_cast<int32_t>(random() % 264));
      } else {
        const auto word = tokenizer.encode(words[random() % words.size()], false);
        ids.insert(ids.end(), word->begin(), word->end());
      }
    }
    expect_adds_up(tokenizer, ids, round % 2 == 0);
  }
}

// Only bytes that have parts in characters, so that nearly everything is broken.
TEST(Detokenizer, PiecesAddUpToDecodeForBrokenBytes) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  const std::vector<int32_t> bytes = {0xF0, 0x9F, 0x98, 0x80, 0xE4, 0xBD, 0xA0,
                                      0xC3, 0xA9, 0xEF, 0xBF, 0xBD, 259,  'x'};
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    Ids ids;
    for (int part = 0; part < 40; ++part)
      ids.push_back(bytes[random() % (round % 3 == 0 ? bytes.size() : 4)]);
    expect_adds_up(tokenizer, ids, true);
  }
}

TEST(Detokenizer, ByteFallbackPiecesAddUpForValidText) {
  const Tokenizer tokenizer = make_tokenizer(byte_fallback_json());
  const std::vector<std::string> words = {"a", "b", " ", "  ", "你", "😀", "\uFFFD", "é", "\n"};
  std::mt19937 random(13);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int part = 0; part < 12; ++part)
      text += words[random() % words.size()];
    const auto ids = tokenizer.encode(text, false);
    ASSERT_TRUE(ids);
    expect_adds_up(tokenizer, *ids, true);
  }
}

// A model that emits one broken byte for ever still gives text now and then, and does not slow down with
// every token.
TEST(Detokenizer, EndlessBrokenBytesKeepFlowing) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  IncrementalDetokenizer detokenizer(tokenizer, true);
  size_t longest_silence = 0;
  size_t silence = 0;
  for (int round = 0; round < 2000; ++round) {
    silence = detokenizer.push(0x80).empty() ? silence + 1 : 0;
    longest_silence = std::max(longest_silence, silence);
  }
  EXPECT_LE(longest_silence, 8u);
}

}  // namespace
}  // namespace tessera::text
