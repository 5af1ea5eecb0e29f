// 10,000 mixed strings through real tokenizers: ids and both decodings as Hugging Face's Python library gives
// them, and the incremental detokenizer adding up to the same text. Format: tests/golden/text/README.md.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "text/detokenizer.h"
#include "text/test_assets.h"
#include "text/tokenizer.h"

namespace tessera::text {
namespace {

const std::filesystem::path kGoldens = std::filesystem::path(TESSERA_SOURCE_DIR) / "tests/golden/text";

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

uint64_t fnv1a(const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(static_cast<uint32_t>(id) >> shift);
  }
  return fnv1a(bytes);
}

// Lines as the golden files mean them: ended by '\n' alone.
std::vector<std::string> lines_of(const std::string& name) {
  auto text = read_text_file(kGoldens / name, 4 << 20);
  EXPECT_TRUE(text) << text.error().message();
  std::vector<std::string> lines;
  if (!text) return lines;
  for (size_t start = 0; start < text->size();) {
    const size_t end = std::min(text->find('\n', start), text->size());
    lines.push_back(text->substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  IncrementalDetokenizer detokenizer(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids)
    text += detokenizer.push(id);
  return text + detokenizer.finish();
}

void check_string(const Tokenizer& tokenizer, const std::string& text, const std::string& golden) {
  const auto ids = tokenizer.encode(text, false);
  ASSERT_TRUE(ids) << ids.error().message();
  const auto whole = tokenizer.decode(*ids, false);
  const auto skipped = tokenizer.decode(*ids, true);
  ASSERT_TRUE(whole && skipped);
  EXPECT_EQ(fmt::format("{:016x} {:016x} {:016x}", fnv1a(*ids), fnv1a(*whole), fnv1a(*skipped)), golden);
  EXPECT_EQ(streamed(tokenizer, *ids, false), *whole);
  EXPECT_EQ(streamed(tokenizer, *ids, true), *skipped);
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, EncodesAndDecodesAsHuggingFace) {
  const auto path = test_asset(std::string(GetParam()) + "/tokenizer.json");
  if (asset_is_missing(path)) GTEST_SKIP() << path << " is missing";
  const auto tokenizer = Tokenizer::load(path);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  const auto strings = lines_of("strings.jsonl");
  const auto hashes = lines_of(std::string(GetParam()) + ".hashes");
  ASSERT_EQ(strings.size(), 10000u);
  ASSERT_EQ(hashes.size(), strings.size());
  for (size_t i = 0; i < strings.size(); ++i) {
    SCOPED_TRACE(fmt::format("strings.jsonl line {}: {}", i + 1, strings[i]));
    check_string(*tokenizer, nlohmann::json::parse(strings[i]).get<std::string>(), hashes[i]);
    ASSERT_FALSE(testing::Test::HasFailure()) << "the first difference; the others are not shown";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TokenizerGolden, testing::Values("smollm2", "qwen3"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace tessera::text
