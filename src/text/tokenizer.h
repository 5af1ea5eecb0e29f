// Tokenizer: text to token ids and back, by Hugging Face's own library, so that ids are those the model was
// trained with. Not: streaming (detokenizer.h), what tokenizer_config.json says (tokenizer_config.h), prompts
// (chat_template.h). Const calls are thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct tk_tokenizer;

namespace tessera::text {

class Tokenizer {
 public:
  /// Reads `path`, or `path`/tokenizer.json when it is a directory. kNotFound, kResourceExhausted (over 128
  /// MiB) or kDataCorrupt naming the file.
  static Result<Tokenizer> load(const std::filesystem::path& path);
  /// The text of a tokenizer.json; kDataCorrupt when the library refuses it.
  static Result<Tokenizer> from_json(std::string_view json);

  /// Special tokens that stand in the text are recognised in any case; `add_special_tokens` adds those that
  /// the tokenizer puts around a text (BOS, EOS). kInvalidArgument naming the byte offset when `utf8` is not
  /// UTF-8.
  Result<std::vector<int32_t>> encode(std::string_view utf8, bool add_special_tokens) const;

  /// Always UTF-8: bytes that form no character come out as U+FFFD. Ids outside the vocabulary (padding of
  /// the embedding matrix) are left out; a negative one is kInvalidArgument.
  Result<std::string> decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  std::optional<int32_t> token_to_id(std::string_view token) const;
  /// As the vocabulary writes it, e.g. "Ġthe"; decode() gives text.
  std::optional<std::string> id_to_token(int32_t id) const;
  /// True for added tokens marked special: those that decode(..., true) leaves out.
  bool is_special(int32_t id) const;
  /// Number of tokens, added ones included. Ids may have holes.
  int32_t vocab_size() const { return vocab_size_; }

 private:
  struct Free {
    void operator()(tk_tokenizer* handle) const;
  };
  explicit Tokenizer(std::unique_ptr<tk_tokenizer, Free> handle) : handle_(std::move(handle)) {}

  std::unique_ptr<tk_tokenizer, Free> handle_;
  int32_t vocab_size_ = 0;
};

}  // namespace tessera::text
