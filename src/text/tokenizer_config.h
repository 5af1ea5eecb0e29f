// TokenizerConfig: the facts of tokenizer_config.json (and chat_template.jinja beside it) that a server uses:
// special tokens by role, and the chat templates. What text becomes which ids is tokenizer.json's matter
// alone. Plain data.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tessera::text {

/// Role to text, e.g. {"bos_token", "<s>"}: the variables that chat templates see.
using SpecialTokens = std::vector<std::pair<std::string, std::string>>;

struct TokenizerConfig {
  std::optional<std::string> bos_token, eos_token, pad_token, unk_token;
  bool add_bos_token = false;                // informative: tokenizer.json's post-processor decides
  std::optional<std::string> chat_template;  // the one named "default" where there are several
  std::vector<std::pair<std::string, std::string>> named_chat_templates;  // the others, e.g. "tool_use"

  /// Reads directory/tokenizer_config.json; without that file everything is absent. A file
  /// chat_template.jinja wins over the template inside, as in transformers. kDataCorrupt names file, key and
  /// expectation.
  static Result<TokenizerConfig> load(const std::filesystem::path& directory);
  /// The texts of tokenizer_config.json and chat_template.jinja; nullptr where there is no such file.
  static Result<TokenizerConfig> from_texts(const std::string* json, const std::string* chat_template);
  /// The text of a tokenizer_config.json.
  static Result<TokenizerConfig> from_json(std::string_view json);

  /// Those that are set.
  SpecialTokens special_tokens() const;
};

}  // namespace tessera::text
