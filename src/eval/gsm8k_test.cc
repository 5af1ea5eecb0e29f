#include "eval/gsm8k.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/test_directory.h"

namespace tessera::eval {
namespace {

TEST(LastNumber, IsWhatSglangsScriptFinds) {
  EXPECT_EQ(last_number("5 + 3 = 8.\n#### 8"), "8");
  EXPECT_EQ(last_number("it costs $1,234,567 in all"), "1234567");
  EXPECT_EQ(last_number("minus -7"), "7");
  EXPECT_EQ(last_number("3.25"), "25") << "a decimal point parts numbers";
  EXPECT_EQ(last_number("9 or 007"), std::nullopt) << "Python reads no 007";
  EXPECT_EQ(last_number("00"), "0");
  EXPECT_EQ(last_number("none"), std::nullopt);
  EXPECT_EQ(last_number(""), std::nullopt);
  EXPECT_EQ(last_number("1,2"), "12") << "all commas go";
}

/// Answers by its script and keeps what it was asked.
class ScriptedCompleter : public Completer {
 public:
  explicit ScriptedCompleter(std::vector<std::string> answers) : answers_(std::move(answers)) {}

  Result<std::vector<Completion>> complete(std::span<const std::string> prompts,
                                           const CompletionOptions& options,
                                           const std::function<void()>& on_done) override {
    std::vector<Completion> completions;
    for (const std::string& prompt : prompts) {
      if (options.max_new_tokens == 0) {
        prefixes.push_back(prompt);
        completions.push_back({});
        continue;
      }
      asked.push_back(prompt);
      completions.push_back({.text = answers_[asked.size() - 1], .completion_tokens = 10});
      stop = options.stop;
      on_done();
    }
    return completions;
  }

  std::vector<std::string> asked, prefixes, stop;

 private:
  std::vector<std::string> answers_;
};

class Gsm8k : public testing::Test {
 protected:
  void write(const std::string& text) { ASSERT_TRUE(write_text_file(options_.data_path, text).has_value()); }
  formats::TestDirectory directory_;
  Gsm8kOptions options_{.data_path = directory_.path() + "/test.jsonl", .num_questions = 3, .num_shots = 2};
};

constexpr const char* kThree =
    "# a comment\n"
    "{\"question\": \"How many?\", \"answer\": \"2 + 2 = 4\\n#### 4\"}\n"
    "{\"question\": \"And now?\", \"answer\": \"#### 1,000\"}\n"
    "\n"
    "{\"question\": \"Last?\", \"answer\": \"#### 9\"}";

TEST_F(Gsm8k, AsksAfterTheFilesFirstQuestions) {
  write(kThree);
  ScriptedCompleter completer({"so 4", " 1000 it is", "who knows"});
  const auto result = run_gsm8k(options_, completer);
  ASSERT_TRUE(result.has_value()) << result.error().message();
  const std::string examples =
      "Question: How many?\nAnswer: 2 + 2 = 4\n#### 4\n\nQuestion: And now?\nAnswer: #### 1,000\n\n";
  ASSERT_EQ(completer.asked.size(), 3U);
  EXPECT_EQ(completer.asked[0], examples + "Question: How many?\nAnswer:");
  EXPECT_EQ(completer.asked[2], examples + "Question: Last?\nAnswer:");
  EXPECT_EQ(completer.prefixes, std::vector{examples});
  EXPECT_EQ(completer.stop, (std::vector<std::string>{"Question", "Assistant:", "<|separator|>"}));
  EXPECT_NEAR(result->accuracy, 2.0 / 3, 1e-12);
  EXPECT_NEAR(result->invalid, 1.0 / 3, 1e-12);
  EXPECT_EQ(result->questions(), 3);
  EXPECT_EQ(result->completion_tokens, 30);
  EXPECT_FALSE(result->answers[2].right);
}

TEST_F(Gsm8k, ShortPrefixesAndNoShotsAreNotAskedFirst) {
  write(kThree);
  options_.num_shots = 0;
  options_.num_questions = 200;
  ScriptedCompleter completer({"4", "1", "9"});
  const auto result = run_gsm8k(options_, completer);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(completer.prefixes.empty());
  EXPECT_EQ(completer.asked[1], "Question: And now?\nAnswer:");
  EXPECT_NEAR(result->accuracy, 2.0 / 3, 1e-12);
}

TEST_F(Gsm8k, RefusesFilesItCannotJudge) {
  ScriptedCompleter completer({"", "", ""});
  write(kThree);
  options_.num_shots = 4;
  EXPECT_FALSE(run_gsm8k(options_, completer).has_value()) << "three questions";
  options_.num_shots = 1;
  write("{\"question\": \"How many?\", \"answer\": \"none\"}");
  EXPECT_FALSE(run_gsm8k(options_, completer).has_value()) << "no number";
  for (const char* broken :
       {"[1]", "{\"question\": 1, \"answer\": \"2\"}", "{\"question\": \"a\"}", "nonsense"}) {
    write(std::string(kThree) + "\n" + broken);
    const auto result = run_gsm8k(options_, completer);
    ASSERT_FALSE(result.has_value()) << broken;
    EXPECT_NE(result.error().message().find("test.jsonl:6"), std::string::npos) << result.error().message();
  }
}

}  // namespace
}  // namespace tessera::eval
