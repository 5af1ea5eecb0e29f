// TokenizerConfig: what a model directory says about its tokenizer beside tokenizer.json: the names of
// special tokens and the chat template, from tokenizer_config.json, chat_template.jinja and
// chat_template.json. A plain value.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::text {

struct TokenizerConfig {
  /// "bos_token" -> "<s>" and so on, those the model has. Templates see them under these names.
  std::map<std::string, std::string> special_tokens;
  std::optional<bool> add_bos_token;
  std::optional<bool> add_eos_token;
  /// Source of the chat template. A model with several ("default", "tool_use") has its default here.
  std::optional<std::string> chat_template;
  /// Those other than the default, by name.
  std::map<std::string, std::string> named_templates;

  /// Reads a model directory. Absent files give an empty config; a chat_template.jinja wins over the JSON.
  /// kDataCorrupt naming file and field.
  static Result<TokenizerConfig> load(const std::filesystem::path& directory);
  /// The text of a tokenizer_config.json.
  static Result<TokenizerConfig> from_json(std::string_view json);

  /// special_tokens[name], e.g. token("eos_token").
  std::optional<std::string> token(const std::string& name) const;
};

}  // namespace tessera::text
