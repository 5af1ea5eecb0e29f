#include "api/prompts.h"

namespace tessera::api {
namespace {

Result<std::vector<int32_t>> one_prompt(const Json& value, std::string_view name, const ModelCard& card) {
  if (value.is_array()) return parse_ids(value, name, 0, card.vocab_size - 1);
  if (!value.is_string()) return invalid_argument("{} is {}, expected text or token ids", name, shown(value));
  auto ids = card.tokenizer->encode(value.get_ref<const std::string&>(), true);
  if (!ids) return invalid_argument("{}: {}", name, ids.error().message());
  return ids;
}

}  // namespace

Result<Prompts> read_prompts(const Json& value, std::string_view name, const ModelCard& card) {
  Prompts prompts;
  prompts.is_list = value.is_array() && !value.empty() && !value[0].is_number();
  if (!prompts.is_list) {
    prompts.ids.push_back(TRY(one_prompt(value, name, card)));
    return prompts;
  }
  if (value.size() > kMaxPrompts) {
    return invalid_argument("{} has {} prompts, expected at most {}", name, value.size(), kMaxPrompts);
  }
  for (size_t index = 0; index < value.size(); ++index) {
    prompts.ids.push_back(TRY(one_prompt(value[index], fmt::format("{}[{}]", name, index), card)));
  }
  return prompts;
}

}  // namespace tessera::api
