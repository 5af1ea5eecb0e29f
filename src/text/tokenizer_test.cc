#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "text/test_tokenizers.h"

namespace tessera::text {
namespace {

using testing::HasSubstr;
using Ids = std::vector<int32_t>;

TEST(Tokenizer, EncodesWithMergesAndSpecialTokensInTheText) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(*tokenizer.encode("hello", false), (Ids{258, 'o'}));
  EXPECT_EQ(*tokenizer.encode("", false), Ids{});
  // Special tokens are recognised although none is to be added.
  EXPECT_EQ(*tokenizer.encode("<|end|>he", false), (Ids{261, 256}));
  EXPECT_EQ(*tokenizer.encode("he", true), (Ids{260, 256}));
}

TEST(Tokenizer, IgnoresTruncationOfTheFile) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());  // the file says at most 2 tokens
  EXPECT_EQ(tokenizer.encode("abcdef", false)->size(), 6u);
}

TEST(Tokenizer, DecodesAndSkipsSpecialTokensOnly) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(*tokenizer.decode(Ids{260, 256, 262, 261}, false), "<s>he<tool><|end|>");
  EXPECT_EQ(*tokenizer.decode(Ids{260, 256, 262, 261}, true), "he<tool>");
  EXPECT_EQ(*tokenizer.decode(Ids{}, true), "");
  EXPECT_EQ(*tokenizer.decode(Ids{'a', 0xE4, 'b'}, false), "a\uFFFDb");
}

TEST(Tokenizer, DecodeLeavesOutIdsWithoutToken) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(*tokenizer.decode(Ids{'a', 263, 2147483647, 'b'}, false), "ab");
  const auto negative = tokenizer.decode(Ids{'a', -7}, false);
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(negative.error().message(), HasSubstr("-7"));
}

TEST(Tokenizer, NamesTheFirstByteThatIsNotUtf8) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  const auto ids = tokenizer.encode("ab\xC3(", false);
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(ids.error().message(), HasSubstr("byte offset 2"));
  EXPECT_TRUE(tokenizer.encode(std::string_view("a\0b", 3), false));
}

TEST(Tokenizer, LooksUpTokens) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  EXPECT_EQ(tokenizer.vocab_size(), 263);
  EXPECT_EQ(tokenizer.token_to_id("<|end|>"), 261);
  EXPECT_EQ(tokenizer.token_to_id("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(' '), "Ġ");
  EXPECT_EQ(tokenizer.id_to_token(263), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(261));
  EXPECT_FALSE(tokenizer.is_special(262));
  EXPECT_FALSE(tokenizer.is_special('a'));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.is_special(1 << 30));
}

TEST(Tokenizer, RefusesBrokenFiles) {
  for (const std::string text :
       {"", "{", "{}", "[]", "null", R"({"model":{"type":"BPE","vocab":{},"merges":["a b"]}})"}) {
    const auto tokenizer = Tokenizer::from_json(text);
    ASSERT_FALSE(tokenizer) << text;
    EXPECT_EQ(tokenizer.error().code(), ErrorCode::kDataCorrupt) << text;
    EXPECT_THAT(tokenizer.error().message(), HasSubstr("tokenizer.json")) << text;
  }
  EXPECT_FALSE(Tokenizer::from_json(std::string(100'000, '[')));
  EXPECT_FALSE(Tokenizer::from_json("{\"model\": \"\xFF\"}"));
}

TEST(Tokenizer, LoadsADirectoryOrAFileAndNamesAMissingOne) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "tessera_tokenizer_test";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(write_text_file(folder / "tokenizer.json", byte_level_json().dump()));
  EXPECT_TRUE(Tokenizer::load(folder));
  EXPECT_TRUE(Tokenizer::load(folder / "tokenizer.json"));
  std::filesystem::remove_all(folder);
  const auto missing = Tokenizer::load(folder / "tokenizer.json");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("tokenizer.json"));
}

TEST(Tokenizer, ServesSeveralThreadsAtOnce) {
  const Tokenizer tokenizer = make_tokenizer(byte_level_json());
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (size_t thread = 0; thread < wrong.size(); ++thread) {
    threads.emplace_back([&, thread] {
      const std::string text = "hello " + std::to_string(thread) + " 😀";
      for (int round = 0; round < 200; ++round) {
        const auto ids = tokenizer.encode(text, false);
        if (!ids || tokenizer.decode(*ids, false).value_or("") != text) ++wrong[thread];
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

}  // namespace
}  // namespace tessera::text
