// IncrementalDetokenizer: the text of a growing sequence of tokens, piece by piece. A piece never holds half
// a character: what decodes to U+FFFD at the end waits for the next token, as in Hugging Face's and vLLM's
// prefix-offset method. Decodes a window of a few tokens per push, however long the sequence is. One per
// sequence, not thread-safe.
//
// All pieces together are decode(all ids). The exception are tokenizers with byte fallback (Llama 2): there
// an invalid byte turns the valid characters right before it into U+FFFD, and those may be released already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace tessera::text {

class IncrementalDetokenizer {
 public:
  /// `tokenizer` outlives it.
  IncrementalDetokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(&tokenizer), skip_special_tokens_(skip_special_tokens) {}

  /// Newly complete text, often empty. Ids without a token say nothing.
  std::string push(int32_t id);
  /// What still waits; afterwards a new sequence may begin.
  std::string finish();

 private:
  std::string decode(size_t from) const;
  std::string take(std::string_view text, std::string_view whole);
  void shrink(const std::string& text, size_t held_bytes);

  const Tokenizer* tokenizer_;
  bool skip_special_tokens_;
  std::vector<int32_t> window_;  // the last tokens
  size_t context_ = 0;           // how many of them were complete text at the last clean end
  std::string released_;         // of the window's text, what is out already
};

}  // namespace tessera::text
