#include "api/tokenize.h"

#include "api/openai_reply.h"
#include "api/prompts.h"

namespace tessera::api {

Result<std::string> tokenize(std::string_view body, const ModelCard& card) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  const bool special = TRY(fields.boolean("add_special_tokens", true));
  const Json* prompt = fields.find("prompt");
  if (!prompt) return fields.wrong("prompt", "a string or a list of strings");
  Json tokens = Json::array();
  Json counts = Json::array();
  const auto texts = TRY(fields.strings("prompt"));
  for (const std::string& text : texts) {
    auto ids = card.tokenizer->encode(text, special);
    if (!ids) return invalid_argument("prompt: {}", ids.error().message());
    counts.push_back(ids->size());
    tokens.push_back(std::move(*ids));
  }
  const bool list = prompt->is_array();
  return dump({{"tokens", list ? tokens : tokens[0]},
               {"count", list ? counts : counts[0]},
               {"max_model_len", card.max_model_len}});
}

Result<std::string> detokenize(std::string_view body, const ModelCard& card) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  const bool skip_special = TRY(fields.boolean("skip_special_tokens", true));
  const Json* tokens = fields.find("tokens");
  if (!tokens || !tokens->is_array())
    return fields.wrong("tokens", "a list of token ids or a list of such lists");
  const bool list = !tokens->empty() && (*tokens)[0].is_array();
  Json texts = Json::array();
  for (const Json& ids : list ? *tokens : Json::array({*tokens})) {
    const auto parsed = TRY(parse_ids(ids, "tokens", 0, card.vocab_size - 1));
    auto text = card.tokenizer->decode(parsed, skip_special);
    if (!text) return invalid_argument("tokens: {}", text.error().message());
    texts.push_back(std::move(*text));
  }
  return dump({{"text", list ? texts : texts[0]}});
}

}  // namespace tessera::api
