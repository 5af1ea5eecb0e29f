// The prompts of a run, sampled as SGLang's bench_serving does: with the same tokenizer, file and seed they
// are the same prompts in the same order, byte for byte (`generated-shared-prefix`: as its releases since
// 2026, which sort the vocabulary).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/serving/backend.h"
#include "bench/serving/conversations.h"
#include "bench/serving/python_random.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tessera::bench::serving {

/// Both generators of the script: it seeds them alike and draws from either.
struct Random {
  explicit Random(uint32_t seed) : python(seed), numpy(seed) {}
  PythonRandom python;
  NumpyRandom numpy;
};

/// Lengths in tokens, each uniform between range_ratio times the length and the length.
struct RandomOptions {
  int64_t input_len = 1024;
  int64_t output_len = 1024;
  double range_ratio = 0;
  bool send_ids = false;  // token ids instead of text
};

/// `random`: the beginnings of conversations, cut or repeated to length. Fewer than `count` where there are
/// fewer conversations.
Result<std::vector<Prompt>> sample_random(const RandomOptions& options, size_t count,
                                          Conversations conversations, const text::Tokenizer& tokenizer,
                                          Random& random);

/// `random-ids`: consecutive token ids from a random one on. `vocab_size` without added tokens.
Result<std::vector<Prompt>> sample_random_ids(const RandomOptions& options, size_t count, int64_t vocab_size,
                                              const text::Tokenizer& tokenizer, Random& random);

struct ShareGptOptions {
  std::optional<int64_t> output_len = {};   // instead of the length of the real answer; at least 4
  std::optional<int64_t> context_len = {};  // longer conversations are left out
  std::string prompt_suffix = {};
};

/// `sharegpt`: first turns as they are, answers as long as the second turns. `chat_template`: null, or
/// applied to every prompt, without `bos_token`.
Result<std::vector<Prompt>> sample_sharegpt(const ShareGptOptions& options, size_t count,
                                            Conversations conversations, const text::Tokenizer& tokenizer,
                                            const text::ChatTemplate* chat_template,
                                            const std::string& bos_token, Random& random);

struct SharedPrefixOptions {
  int64_t groups = 64;
  int64_t prompts_per_group = 16;
  int64_t system_prompt_len = 2048;
  int64_t question_len = 128;
  int64_t output_len = 256;
};

/// `generated-shared-prefix`: groups of prompts of random tokens that begin alike, in random order.
Result<std::vector<Prompt>> sample_shared_prefix(const SharedPrefixOptions& options,
                                                 const text::Tokenizer& tokenizer, Random& random);

/// Tokens of a tokenizer.json that are not added ones: transformers' `vocab_size`.
Result<int64_t> base_vocab_size(const std::string& tokenizer_path);

}  // namespace tessera::bench::serving
