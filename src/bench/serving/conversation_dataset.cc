#include <span>

#include "bench/serving/dataset.h"

namespace tessera::bench::serving {
namespace {

constexpr int64_t kShortest = 2;       // tokens, of prompt and of answer
constexpr int64_t kShortestAsked = 4;  // of --sharegpt-output-len
constexpr std::string_view kAssistant = "Assistant:";

std::string with_suffix(std::string prompt, const std::string& suffix) {
  if (prompt.ends_with(kAssistant)) prompt.resize(prompt.size() - kAssistant.size());
  return prompt + suffix + std::string(kAssistant);
}

Result<std::string> in_template(const text::ChatTemplate& chat_template, const std::string& bos_token,
                                const std::string& prompt) {
  const auto messages = nlohmann::ordered_json::array({{{"role", "user"}, {"content", prompt}}});
  std::string text = TRY(chat_template.render(messages, nullptr, true, nullptr));
  if (bos_token.empty()) return text;
  // The server's tokenizer adds it.
  for (size_t at; (at = text.find(bos_token)) != std::string::npos;)
    text.erase(at, bos_token.size());
  return text;
}

}  // namespace

Result<std::vector<Prompt>> sample_sharegpt(const ShareGptOptions& options, size_t count,
                                            Conversations conversations, const text::Tokenizer& tokenizer,
                                            const text::ChatTemplate* chat_template,
                                            const std::string& bos_token, Random& random) {
  if (options.output_len && *options.output_len < kShortestAsked) {
    return invalid_argument("--sharegpt-output-len {}: expected at least {}", *options.output_len,
                            kShortestAsked);
  }
  random.python.shuffle(std::span(conversations.order()));
  std::vector<Prompt> prompts;
  for (size_t at = 0; at < conversations.size() && prompts.size() < count; ++at) {
    Prompt prompt;
    prompt.text = TRY(conversations.prompt(at));
    if (!options.prompt_suffix.empty())
      prompt.text = with_suffix(std::move(prompt.text), options.prompt_suffix);
    if (chat_template) prompt.text = TRY(in_template(*chat_template, bos_token, prompt.text));
    const std::string answer = TRY(conversations.completion(at));
    prompt.input_tokens = static_cast<int64_t>(TRY(tokenizer.encode(prompt.text, true)).size());
    prompt.output_tokens =
        options.output_len.value_or(static_cast<int64_t>(TRY(tokenizer.encode(answer, true)).size()));
    if (prompt.input_tokens < kShortest || prompt.output_tokens < kShortest) continue;
    if (options.context_len && prompt.input_tokens + prompt.output_tokens > *options.context_len) continue;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

}  // namespace tessera::bench::serving
