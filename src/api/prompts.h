// Prompts as the completion APIs take them: text, token ids, or a list of either.
#pragma once

#include <string>
#include <vector>

#include "api/fields.h"
#include "api/model_card.h"

namespace tessera::api {

struct Prompts {
  std::vector<std::vector<int32_t>> ids;  // at least one list
  bool is_list = false;                   // the client sent a list of prompts, and gets a list back
};

/// `text` as ids. kInvalidArgument for text that is not UTF-8, or that cannot fit the context: a text far
/// longer than any context is refused by its beginning, because tokenizing 16 MB takes seconds.
Result<std::vector<int32_t>> encode_prompt(std::string_view text, bool add_special_tokens,
                                           const ModelCard& card);

/// "text", ["text", ...], [1, 2], [[1, 2], ...], at most `most` prompts. Text is encoded with the tokenizer's
/// own special tokens.
Result<Prompts> read_prompts(const Json& value, std::string_view name, const ModelCard& card, size_t most);

/// The native APIs' prompts: of exactly one of text and input_ids.
Result<Prompts> read_native_prompts(const Fields& fields, const ModelCard& card, size_t most);

/// The native APIs' names of `prompts` requests: `rid`, one for all or one each, else made of `id`.
Result<std::vector<std::string>> read_rids(const Fields& fields, std::string_view id, size_t prompts);

}  // namespace tessera::api
