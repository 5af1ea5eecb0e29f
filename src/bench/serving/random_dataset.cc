#include <algorithm>
#include <cmath>
#include <span>

#include "base/file.h"
#include "bench/serving/dataset.h"
#include "bench/serving/json_scan.h"

namespace tessera::bench::serving {
namespace {

using Ids = std::vector<int32_t>;

constexpr uint64_t kMaxTokenizerBytes = uint64_t{128} << 20;

std::vector<int64_t> lengths(int64_t longest, double range_ratio, size_t count, NumpyRandom& random) {
  const auto shortest =
      std::max<int64_t>(static_cast<int64_t>(static_cast<double>(longest) * range_ratio), 1);
  std::vector<int64_t> all(count);
  for (int64_t& length : all)
    length = random.randint(shortest, longest + 1);
  return all;
}

struct Lengths {
  std::vector<int64_t> input, output;
};

Result<Lengths> sample_lengths(const RandomOptions& options, size_t count, const text::Tokenizer& tokenizer,
                               NumpyRandom& random) {
  if (options.input_len < 1 || options.output_len < 1 ||
      !(options.range_ratio >= 0 && options.range_ratio <= 1)) {
    return invalid_argument(
        "random lengths {} and {} with ratio {}: expected lengths of at least 1 and a ratio of 0 to 1",
        options.input_len, options.output_len, options.range_ratio);
  }
  Lengths all;
  all.input = lengths(options.input_len, options.range_ratio, count, random);
  all.output = lengths(options.output_len, options.range_ratio, count, random);
  if (!options.send_ids) {
    // The server's tokenizer will add its special tokens to the text.
    const auto added = static_cast<int64_t>(TRY(tokenizer.encode("", true)).size());
    for (int64_t& length : all.input)
      length = std::max<int64_t>(1, length - added);
  }
  return all;
}

Result<Prompt> make_prompt(Ids ids, int64_t output_tokens, bool send_ids, const text::Tokenizer& tokenizer) {
  Prompt prompt{.text = {},
                .ids = {},
                .input_tokens = static_cast<int64_t>(ids.size()),
                .output_tokens = output_tokens};
  if (send_ids) {
    prompt.ids = std::move(ids);
  } else {
    prompt.text = TRY(tokenizer.decode(ids, false));
  }
  return prompt;
}

}  // namespace

Result<std::vector<Prompt>> sample_random(const RandomOptions& options, size_t count,
                                          Conversations conversations, const text::Tokenizer& tokenizer,
                                          Random& random) {
  const Lengths lengths = TRY(sample_lengths(options, count, tokenizer, random.numpy));
  random.python.shuffle(std::span(conversations.order()));
  std::vector<Prompt> prompts;
  for (size_t at = 0; at < conversations.size() && prompts.size() < count; ++at) {
    const std::string text = TRY(conversations.prompt(at));
    const Ids source = TRY(tokenizer.encode(text, true));
    if (source.empty()) continue;
    Ids ids(static_cast<size_t>(lengths.input[prompts.size()]));
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = source[i % source.size()];
    prompts.push_back(
        TRY(make_prompt(std::move(ids), lengths.output[prompts.size()], options.send_ids, tokenizer)));
  }
  return prompts;
}

Result<std::vector<Prompt>> sample_random_ids(const RandomOptions& options, size_t count, int64_t vocab_size,
                                              const text::Tokenizer& tokenizer, Random& random) {
  const Lengths lengths = TRY(sample_lengths(options, count, tokenizer, random.numpy));
  std::vector<int64_t> offsets(count);
  for (int64_t& offset : offsets)
    offset = random.numpy.randint(0, vocab_size);
  std::vector<Prompt> prompts;
  for (size_t i = 0; i < count; ++i) {
    Ids ids(static_cast<size_t>(lengths.input[i]));
    for (size_t j = 0; j < ids.size(); ++j)
      ids[j] = static_cast<int32_t>((offsets[i] + static_cast<int64_t>(i + j)) % vocab_size);
    prompts.push_back(TRY(make_prompt(std::move(ids), lengths.output[i], options.send_ids, tokenizer)));
  }
  return prompts;
}

Result<int64_t> base_vocab_size(const std::string& tokenizer_path) {
  namespace fs = std::filesystem;
  const fs::path file = fs::is_directory(tokenizer_path) ? fs::path(tokenizer_path) / "tokenizer.json"
                                                         : fs::path(tokenizer_path);
  const std::string json = TRY(read_text_file(file, kMaxTokenizerBytes));
  const std::string_view vocab = member(member(json, "model"), "vocab");
  int64_t count = 0;
  const bool counted = each_member(vocab, [&](auto, auto) { return ++count > 0; }) ||
                       each_element(vocab, [&](auto) { return ++count > 0; });
  if (!counted || count == 0) return data_corrupt("{}: model.vocab is missing or empty", file.string());
  return count;
}

}  // namespace tessera::bench::serving
