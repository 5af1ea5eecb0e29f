#include "api/prompts.h"

#include <algorithm>

namespace tessera::api {
namespace {

/// Bytes of text that are tokenized before the rest is looked at, per token of the context: prose has some 4.
constexpr size_t kFirstBytesPerToken = 8;

/// The longest beginning of `text` within `bytes` that ends where a character ends.
std::string_view beginning(std::string_view text, size_t bytes) {
  while (bytes > 0 && (static_cast<uint8_t>(text[bytes]) & 0xC0U) == 0x80U)
    --bytes;
  return text.substr(0, bytes);
}

Result<std::vector<int32_t>> one_prompt(const Json& value, std::string_view name, const ModelCard& card) {
  if (value.is_array()) return parse_ids(value, name, 0, card.vocab_size - 1);
  if (!value.is_string()) return invalid_argument("{} is {}, expected text or token ids", name, shown(value));
  auto ids = encode_prompt(value.get_ref<const std::string&>(), true, card);
  if (!ids) return invalid_argument("{}: {}", name, ids.error().message());
  return ids;
}

}  // namespace

Result<std::vector<int32_t>> encode_prompt(std::string_view text, bool add_special_tokens,
                                           const ModelCard& card) {
  const auto limit = static_cast<size_t>(card.max_model_len);
  const size_t first_bytes = limit * kFirstBytesPerToken;
  if (text.size() > 2 * first_bytes) {
    const auto first = TRY(card.tokenizer->encode(beginning(text, first_bytes), add_special_tokens));
    if (first.size() > limit) {
      return invalid_argument(
          "{} bytes of text are over {} tokens, expected at most the context length of {}", text.size(),
          first.size(), limit);
    }
  }
  return card.tokenizer->encode(text, add_special_tokens);
}

Result<Prompts> read_prompts(const Json& value, std::string_view name, const ModelCard& card, size_t most) {
  Prompts prompts;
  prompts.is_list = value.is_array() && !value.empty() && !value[0].is_number();
  if (!prompts.is_list) {
    prompts.ids.push_back(TRY(one_prompt(value, name, card)));
    return prompts;
  }
  if (value.size() > most) {
    return invalid_argument("{} has {} prompts, expected at most {}", name, value.size(), most);
  }
  for (size_t index = 0; index < value.size(); ++index) {
    prompts.ids.push_back(TRY(one_prompt(value[index], fmt::format("{}[{}]", name, index), card)));
  }
  return prompts;
}

Result<Prompts> read_native_prompts(const Fields& fields, const ModelCard& card, size_t most) {
  const Json* text = fields.find("text");
  const Json* ids = fields.find("input_ids");
  if (!text == !ids) {
    return invalid_argument("{} given, expected exactly one of text and input_ids",
                            text ? "text and input_ids are both" : "neither text nor input_ids is");
  }
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (ids && (!ids->is_array() || std::any_of(ids->begin(), ids->end(), is_text)))
    return fields.wrong("input_ids", "a list of token ids, or of such lists");
  if (text && text->is_array() && !std::all_of(text->begin(), text->end(), is_text))
    return fields.wrong("text", "a string or a list of strings");
  return read_prompts(text ? *text : *ids, text ? "text" : "input_ids", card, most);
}

Result<std::vector<std::string>> read_rids(const Fields& fields, std::string_view id, size_t prompts) {
  auto rids = TRY(fields.strings("rid"));
  const Json* given = fields.find("rid");
  if (given && given->is_array()) {
    if (rids.size() != prompts)
      return fields.wrong("rid", fmt::format("{} of them, one per prompt", prompts));
    return rids;
  }
  const std::string name = rids.empty() ? std::string(id) : rids.front();
  rids.clear();
  for (size_t index = 0; index < prompts; ++index)
    rids.push_back(prompts == 1 ? name : fmt::format("{}_{}", name, index));
  return rids;
}

}  // namespace tessera::api
