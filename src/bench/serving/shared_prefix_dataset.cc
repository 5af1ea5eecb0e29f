#include <span>

#include "bench/serving/dataset.h"

namespace tessera::bench::serving {
namespace {

using Ids = std::vector<int32_t>;

/// The ids that are tokens, ascending.
Ids all_tokens(const text::Tokenizer& tokenizer) {
  constexpr int32_t kMostHoles = 1 << 20;
  const int32_t count = tokenizer.vocab_size();
  Ids ids;
  for (int32_t id = 0; static_cast<int32_t>(ids.size()) < count && id < count + kMostHoles; ++id) {
    if (tokenizer.id_to_token(id)) ids.push_back(id);
  }
  return ids;
}

Result<std::vector<std::string>> random_texts(int64_t count, int64_t tokens, const Ids& vocabulary,
                                              const text::Tokenizer& tokenizer, PythonRandom& random) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count; ++i) {
    Ids ids(static_cast<size_t>(tokens));
    for (int32_t& id : ids)
      id = vocabulary[random.choice(vocabulary.size())];
    texts.push_back(TRY(tokenizer.decode(ids, false)));
  }
  return texts;
}

}  // namespace

Result<std::vector<Prompt>> sample_shared_prefix(const SharedPrefixOptions& options,
                                                 const text::Tokenizer& tokenizer, Random& random) {
  const Ids vocabulary = all_tokens(tokenizer);
  if (vocabulary.empty()) return data_corrupt("the tokenizer has no tokens");
  const auto beginnings =
      TRY(random_texts(options.groups, options.system_prompt_len, vocabulary, tokenizer, random.python));
  const auto questions = TRY(random_texts(options.groups * options.prompts_per_group, options.question_len,
                                          vocabulary, tokenizer, random.python));
  std::vector<Prompt> prompts;
  for (size_t i = 0; i < questions.size(); ++i) {
    const std::string& beginning = beginnings[i / static_cast<size_t>(options.prompts_per_group)];
    Prompt prompt{.text = beginning + "\n\n" + questions[i], .output_tokens = options.output_len};
    prompt.input_tokens = static_cast<int64_t>(TRY(tokenizer.encode(prompt.text, true)).size());
    prompts.push_back(std::move(prompt));
  }
  random.python.shuffle(std::span(prompts));
  return prompts;
}

}  // namespace tessera::bench::serving
