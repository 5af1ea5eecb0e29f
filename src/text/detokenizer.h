// IncrementalDetokenizer: tokens of one answer become text as they arrive, never half a UTF-8 character.
//
// As vLLM and Hugging Face do it: a window of the newest tokens is decoded again with each token, and what is
// new at its end goes out unless it ends in U+FFFD, which may become a character with the next token. The
// window is bounded, so a token costs the same whatever came before, also when a model emits broken bytes for
// ever. The pieces add up to Tokenizer::decode of all tokens. One exception, by design: decoders that turn a
// whole run of byte tokens into U+FFFD because of one broken byte in it (sentencepiece's byte fallback);
// characters before the broken byte are out by then. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace tessera::text {

class IncrementalDetokenizer {
 public:
  /// `tokenizer` outlives it.
  IncrementalDetokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(&tokenizer), skip_special_tokens_(skip_special_tokens) {}

  /// The text that became certain with `id`; often empty. Ids that no token has add nothing.
  std::string push(int32_t id);

  /// What was held back: an incomplete character comes out as U+FFFD. Afterwards it is as new.
  std::string finish();

 private:
  bool shows(int32_t id) const;
  std::string decode(size_t first, size_t last) const;
  std::string release_front(const std::string& window_text);
  std::string beyond_context(const std::string& window_text) const;

  const Tokenizer* tokenizer_;
  bool skip_special_tokens_;
  std::vector<int32_t> window_;
  size_t context_tokens_ =
      0;  // leading tokens of window_ whose text is out: decoders treat a first token specially
  std::string context_text_;  // decode of just those
  size_t window_bytes_ = 0;   // of the window's text
};

}  // namespace tessera::text
