#include "eval/gsm8k.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/file.h"
#include "base/progress.h"
#include "formats/json_limits.h"

namespace tessera::eval {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
// Shorter prefixes are not worth a request of their own; SGLang's figure.
constexpr size_t kMinSharedPrefix = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Result<Problem> parse_problem(std::string_view line, std::string_view name) {
  const nlohmann::json json = TRY(formats::parse_json(line, name));
  Problem problem;
  for (const auto& [key, into] : {std::pair{"question", &problem.question}, {"answer", &problem.answer}}) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || found == json.end() || !found->is_string())
      return data_corrupt("{}: expected an object with a string \"{}\"", name, key);
    *into = found->get<std::string>();
  }
  return problem;
}

Status check(const Gsm8kOptions& options, const std::vector<Problem>& problems) {
  const auto needed = static_cast<size_t>(std::max(options.num_shots, 1));
  if (problems.size() < needed) {
    return invalid_argument("{} has {} questions, expected at least {} (--num-shots)",
                            options.data_path.string(), problems.size(), needed);
  }
  for (size_t at = 0; at < problems.size(); ++at) {
    if (!last_number(problems[at].answer))
      return invalid_argument("{}: the answer to question {} has no number", options.data_path.string(),
                              at + 1);
  }
  return {};
}

Result<std::vector<Completion>> ask(const Gsm8kOptions& options, std::span<const Problem> asked,
                                    const std::string& examples, Completer& completer) {
  CompletionOptions completion{.max_new_tokens = 0, .stop = {}, .parallel = 1};
  // So that the examples are in the cache before many ask for them at once.
  if (examples.size() > kMinSharedPrefix) TRY(completer.complete(std::span(&examples, 1), completion, [] {}));
  completion.max_new_tokens = options.max_new_tokens;
  completion.stop = {"Question", "Assistant:", "<|separator|>"};
  completion.parallel = options.parallel;
  std::vector<std::string> prompts;
  for (const Problem& problem : asked)
    prompts.push_back(examples + question_prompt(problem));
  Progress progress("questions", prompts.size());
  return completer.complete(prompts, completion, [&] { progress.advance(1); });
}

}  // namespace

Result<std::vector<Problem>> read_problems(const std::filesystem::path& path) {
  const std::string text = TRY(read_text_file(path, kMaxFileBytes));
  std::vector<Problem> problems;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.empty() || line == "\r" || line.front() == '#') continue;
    problems.push_back(TRY(parse_problem(line, fmt::format("{}:{}", path.string(), line_number))));
  }
  return problems;
}

std::string few_shot_examples(std::span<const Problem> problems) {
  std::string examples;
  for (const Problem& problem : problems)
    examples += question_prompt(problem) + " " + problem.answer + "\n\n";
  return examples;
}

std::string question_prompt(const Problem& problem) {
  return "Question: " + problem.question + "\nAnswer:";
}

std::optional<std::string> last_number(std::string_view text) {
  std::string last;
  bool inside = false;
  for (const char c : text) {
    if (c == ',') continue;
    if (is_digit(c) && !inside) last.clear();
    inside = is_digit(c);
    if (inside) last += c;
  }
  if (last.empty()) return std::nullopt;
  if (last.find_first_not_of('0') == std::string::npos) return "0";
  if (last.front() == '0') return std::nullopt;
  return last;
}

Result<Gsm8kResult> run_gsm8k(const Gsm8kOptions& options, Completer& completer) {
  const std::vector<Problem> problems = TRY(read_problems(options.data_path));
  TRY_STATUS(check(options, problems));
  const auto count = std::min(problems.size(), static_cast<size_t>(options.num_questions));
  const std::span asked = std::span(problems).first(count);
  const std::string examples =
      few_shot_examples(std::span(problems).first(static_cast<size_t>(options.num_shots)));

  const auto begin = std::chrono::steady_clock::now();
  std::vector<Completion> completions = TRY(ask(options, asked, examples, completer));
  Gsm8kResult result;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  int64_t right = 0, invalid = 0;
  for (size_t at = 0; at < count; ++at) {
    Gsm8kAnswer answer;
    answer.text = std::move(completions[at].text);
    answer.number = last_number(answer.text);
    answer.right = answer.number == last_number(asked[at].answer);
    right += answer.right ? 1 : 0;
    invalid += answer.number ? 0 : 1;
    result.completion_tokens += completions[at].completion_tokens;
    result.answers.push_back(std::move(answer));
  }
  result.accuracy = static_cast<double>(right) / static_cast<double>(count);
  result.invalid = static_cast<double>(invalid) / static_cast<double>(count);
  return result;
}

}  // namespace tessera::eval
