// The same prompts, lengths and order as SGLang's benchmark samples with the same seed.
#include "bench/serving/dataset.h"

#include <numeric>
#include <span>

#include "bench/serving/test_golden.h"
#include "text/tokenizer_config.h"

namespace tessera::bench::serving {
namespace {

constexpr uint32_t kSeed = 1;

class Dataset : public testing::Test {
 protected:
  Conversations conversations() const {
    auto all = Conversations::parse(golden_["conversations"].dump(), "golden");
    CHECK(all.has_value(), "{}", all.error().message());
    return std::move(*all);
  }
  void expect_golden(const Result<std::vector<Prompt>>& prompts, const char* name) const {
    ASSERT_TRUE(prompts) << prompts.error().message();
    const auto& rows = golden_["datasets"][name];
    ASSERT_EQ(prompts->size(), rows.size()) << name;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Prompt& one = (*prompts)[i];
      if (rows[i]["prompt"].is_array()) {
        EXPECT_EQ(one.ids, rows[i]["prompt"].get<std::vector<int32_t>>()) << name << " " << i;
        EXPECT_TRUE(one.text.empty());
      } else {
        EXPECT_EQ(one.text, rows[i]["prompt"].get<std::string>()) << name << " " << i;
        EXPECT_TRUE(one.ids.empty());
      }
      EXPECT_EQ(one.input_tokens, rows[i]["input"]) << name << " " << i;
      EXPECT_EQ(one.output_tokens, rows[i]["output"]) << name << " " << i;
    }
  }
  Result<std::vector<Prompt>> random(const RandomOptions& options, size_t count) {
    return sample_random(options, count, conversations(), tokenizer_, random_);
  }

  nlohmann::json golden_ = golden();
  text::Tokenizer tokenizer_ = golden_tokenizer();
  Random random_{kSeed};
};

TEST_F(Dataset, RandomBetweenLengths) {
  expect_golden(random({.input_len = 24, .output_len = 9, .range_ratio = 0.5}, 8), "random");
}

TEST_F(Dataset, RandomOfOneLength) {
  expect_golden(random({.input_len = 16, .output_len = 4, .range_ratio = 1}, 8), "random_fixed");
}

TEST_F(Dataset, RandomEndsWithTheConversations) {
  expect_golden(random({.input_len = 5, .output_len = 5, .range_ratio = 0}, 99), "random_all");
}

TEST_F(Dataset, RandomAsTokenIds) {
  expect_golden(random({.input_len = 8, .output_len = 3, .range_ratio = 0, .send_ids = true}, 8),
                "random_token_ids");
}

TEST_F(Dataset, RandomIds) {
  const auto vocab_size = base_vocab_size(kModelDir);
  ASSERT_TRUE(vocab_size) << vocab_size.error().message();
  EXPECT_EQ(*vocab_size, 512);
  expect_golden(sample_random_ids({.input_len = 12, .output_len = 7, .range_ratio = 0.25}, 8, *vocab_size,
                                  tokenizer_, random_),
                "random_ids");
}

TEST_F(Dataset, ShareGpt) {
  expect_golden(sample_sharegpt({}, 99, conversations(), tokenizer_, nullptr, "", random_), "sharegpt");
}

TEST_F(Dataset, ShareGptWithEveryOption) {
  const auto config = text::TokenizerConfig::load(kModelDir);
  ASSERT_TRUE(config) << config.error().message();
  const auto chat_template =
      text::ChatTemplate::compile(config->chat_template.value(), config->special_tokens());
  ASSERT_TRUE(chat_template) << chat_template.error().message();
  const ShareGptOptions options{.output_len = 6, .context_len = 70, .prompt_suffix = " Say why."};
  expect_golden(
      sample_sharegpt(options, 5, conversations(), tokenizer_, &*chat_template, *config->bos_token, random_),
      "sharegpt_options");
}

TEST_F(Dataset, SharedPrefix) {
  const SharedPrefixOptions options{
      .groups = 3, .prompts_per_group = 2, .system_prompt_len = 7, .question_len = 4, .output_len = 5};
  expect_golden(sample_shared_prefix(options, tokenizer_, random_), "shared_prefix");
}

// Where the server's tokenizer adds a token, the text is a token shorter.
TEST_F(Dataset, RandomLeavesRoomForSpecialTokens) {
  auto json = nlohmann::json::parse(read_text_file(kModelDir + "/tokenizer.json", 1 << 20).value());
  const nlohmann::json id = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}}, id}},
      {"pair", {id, {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
      {"special_tokens",
       {{"<|endoftext|>", {{"id", "<|endoftext|>"}, {"ids", {0}}, {"tokens", {"<|endoftext|>"}}}}}}};
  const auto tokenizer = text::Tokenizer::from_json(json.dump());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  const auto prompts = sample_random({.input_len = 16, .output_len = 4, .range_ratio = 1}, 2, conversations(),
                                     *tokenizer, random_);
  ASSERT_TRUE(prompts);
  EXPECT_EQ(prompts->front().input_tokens, 15);
}

TEST_F(Dataset, BadLengthsAreErrors) {
  EXPECT_FALSE(random({.input_len = 0}, 1));
  EXPECT_FALSE(random({.output_len = 0}, 1));
  EXPECT_FALSE(random({.range_ratio = 1.5}, 1));
  EXPECT_FALSE(sample_sharegpt({.output_len = 3}, 1, conversations(), tokenizer_, nullptr, "", random_));
}

TEST(Conversations, BrokenFilesAreErrors) {
  for (const char* text : {"", "{}", "[", "[{\"conversations\": [{\"value\": \"a\"}, {\"value\": \"b", "[]",
                           "[{\"conversations\": [{\"value\": \"alone\"}]}]", "[1, 2]"}) {
    EXPECT_FALSE(Conversations::parse(text, "file")) << text;
  }
  EXPECT_FALSE(Conversations::open("/absent.json"));
  const auto cut = Conversations::parse(
      R"([{"conversations": [{"value": "a"}, {"value": "b"}]}, {"conversations": [{"value": "c"}, {"va)",
      "file");
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->cut_short());
  EXPECT_EQ(cut->size(), 1U);
  const auto numbers =
      Conversations::parse(R"([{"conversations": [{"value": 1}, {"value": "\ud800"}]}])", "file");
  ASSERT_TRUE(numbers);
  EXPECT_FALSE(numbers->cut_short());
  EXPECT_EQ(numbers->prompt(0).error().message(), "file: a conversation's \"value\" is 1, expected a text");
  EXPECT_FALSE(numbers->completion(0));
}

TEST(Conversations, TheBuiltInOnesBeginDifferently) {
  auto all = Conversations::built_in(1000);
  ASSERT_EQ(all.size(), 1000U);
  std::vector<std::string> beginnings;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto prompt = all.prompt(i);
    ASSERT_TRUE(prompt);
    EXPECT_GT(prompt->size(), 500U);
    beginnings.push_back(prompt->substr(0, 60));
  }
  std::sort(beginnings.begin(), beginnings.end());
  EXPECT_EQ(std::unique(beginnings.begin(), beginnings.end()), beginnings.end());
}

TEST(PythonRandom, AsPythonAndNumpy) {
  const auto expected = golden()["generators"];
  Random random(kSeed);
  std::vector<int> order(1000);
  std::iota(order.begin(), order.end(), 0);
  random.python.shuffle(std::span(order));
  order.resize(20);
  EXPECT_EQ(order, expected["shuffled"].get<std::vector<int>>());
  for (const size_t choice : expected["choices"])
    EXPECT_EQ(random.python.choice(49152), choice);
  for (const int64_t value : expected["randint"])
    EXPECT_EQ(random.numpy.randint(512, 1025), value);
  for (const int64_t value : expected["randint_one"])
    EXPECT_EQ(random.numpy.randint(7, 8), value);
  for (const int64_t value : expected["randint_wide"])
    EXPECT_EQ(random.numpy.randint(0, 151643), value);
  for (const double value : expected["exponential"])
    EXPECT_DOUBLE_EQ(random.numpy.exponential(1 / 2.5), value);
}

// random.seed(2**32 + 5); random.choices(range(1000), k=5): a key of two words.
TEST(PythonRandom, SeedsOverFourBytes) {
  PythonRandom random((uint64_t{1} << 32) + 5);
  for (const size_t choice : {157U, 282U, 604U, 14U, 627U})
    EXPECT_EQ(random.choice(1000), choice);
}

}  // namespace
}  // namespace tessera::bench::serving
