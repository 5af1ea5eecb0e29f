// Tokenizer: text to token ids and back, exactly as Hugging Face `tokenizers` does it (rust/textkit runs that
// library). Not here: the streaming direction (detokenizer.h) and what tokenizer_config.json says
// (tokenizer_config.h). Const calls are thread-safe. Moving leaves an object that may only be destroyed or
// assigned to.
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
  /// A tokenizer.json, or a directory that holds one. kNotFound, or kDataCorrupt naming the file.
  static Result<Tokenizer> load(const std::filesystem::path& directory_or_file);
  /// The text of a tokenizer.json.
  static Result<Tokenizer> from_json(std::string_view json);

  /// kInvalidArgument with the offset of the first byte that is not UTF-8. `add_special_tokens` runs the
  /// post-processor (BOS, EOS); special tokens that stand in the text are recognised either way.
  Result<std::vector<int32_t>> encode(std::string_view utf8, bool add_special_tokens) const;

  /// Always UTF-8: bytes that are none become U+FFFD. Ids without a token are left out.
  Result<std::string> decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  std::optional<int32_t> token_to_id(std::string_view token) const;
  /// The token as the vocabulary spells it ("Ġhello"), not its text.
  std::optional<std::string> id_to_token(int32_t id) const;
  bool is_special(int32_t id) const;
  /// How many tokens there are, added ones included. Ids may have gaps, so an id can be larger.
  int32_t vocab_size() const;

 private:
  struct Free {
    void operator()(tk_tokenizer* tokenizer) const;
  };
  explicit Tokenizer(tk_tokenizer* tokenizer) : handle_(tokenizer) {}
  std::unique_ptr<tk_tokenizer, Free> handle_;
};

}  // namespace tessera::text
