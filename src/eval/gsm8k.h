// GSM8K, few-shot, as SGLang's benchmark asks it: the first questions of the file with their answers stand
// before every question (and are asked themselves too), greedy answers, and the last number of an answer
// counts. So figures can be compared with those that SGLang's users publish.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/completer.h"

namespace tessera::eval {

struct Problem {
  std::string question, answer;
};

struct Gsm8kOptions {
  std::filesystem::path data_path;  // JSONL of {"question", "answer"}
  int32_t num_questions = 200;
  int32_t num_shots = 5;
  int32_t parallel = 64;
  int32_t max_new_tokens = 512;
};

struct Gsm8kAnswer {
  std::string text;
  std::optional<std::string> number;  // the last one in it; absent: invalid
  bool right = false;
};

struct Gsm8kResult {
  double accuracy = 0, invalid = 0;  // shares of the questions
  int64_t completion_tokens = 0;
  double seconds = 0;
  std::vector<Gsm8kAnswer> answers;  // in the file's order

  int64_t questions() const { return static_cast<int64_t>(answers.size()); }
};

/// Lines that are empty or begin with '#' are skipped. kDataCorrupt naming file and line.
Result<std::vector<Problem>> read_problems(const std::filesystem::path& path);

/// "Question: ...\nAnswer: ...\n\n" for each.
std::string few_shot_examples(std::span<const Problem> problems);
/// "Question: ...\nAnswer:"
std::string question_prompt(const Problem& problem);

/// The last run of digits once commas are gone, as SGLang's script finds it: signs and decimal points part
/// numbers, and one that Python would not read (a zero before other digits) is none.
std::optional<std::string> last_number(std::string_view text);

/// kInvalidArgument when the file has too few questions or one of its answers has no number. Shows progress.
Result<Gsm8kResult> run_gsm8k(const Gsm8kOptions& options, Completer& completer);

}  // namespace tessera::eval
