#include "api/model_card.h"

#include <ctime>

#include "api/fields.h"

namespace tessera::api {
namespace {

Json entry(const ModelCard& card) {
  return {{"id", card.id},
          {"object", "model"},
          {"created", card.created},
          {"owned_by", "tessera"},
          {"root", card.path},
          {"parent", nullptr},
          {"max_model_len", card.max_model_len}};
}

}  // namespace

Result<SamplingDefaults> parse_sampling_defaults(const Json& generation_config) {
  const Fields fields(generation_config, "generation_config.json: ");
  SamplingDefaults defaults;
  defaults.temperature = TRY(fields.number("temperature"));
  defaults.top_p = TRY(fields.number("top_p"));
  defaults.min_p = TRY(fields.number("min_p"));
  defaults.repetition_penalty = TRY(fields.number("repetition_penalty"));
  if (const auto top_k = TRY(fields.integer("top_k", -1, INT32_MAX))) {
    defaults.top_k = *top_k == 0 ? -1 : static_cast<int32_t>(*top_k);
  }
  return defaults;
}

Result<ModelCard> make_model_card(const formats::ModelDir& directory, std::string id, int32_t max_model_len,
                                  int32_t vocab_size) {
  const Json json = directory.config;
  const Fields config(json, "config.json: ");
  ModelCard card;
  card.id = std::move(id);
  card.path = directory.path.string();
  const auto model_type = TRY(config.string("model_type"));
  card.model_type = model_type.value_or("");
  card.architectures = TRY(config.strings("architectures"));
  card.created = static_cast<int64_t>(std::time(nullptr));
  card.max_model_len = max_model_len;
  card.vocab_size = vocab_size;
  card.defaults = TRY(parse_sampling_defaults(directory.generation_config));
  return card;
}

std::string models_list(const ModelCard& card) {
  return dump({{"object", "list"}, {"data", Json::array({entry(card)})}});
}

Result<std::string> model_entry(const ModelCard& card, std::string_view id) {
  if (!names_model(card, id))
    return not_found("model \"{}\" does not exist, this server has \"{}\"", id, card.id);
  return dump(entry(card));
}

std::string model_info(const ModelCard& card) {
  return dump({{"model_path", card.path},
               {"tokenizer_path", card.path},
               {"is_generation", true},
               {"preferred_sampling_params", nullptr},
               {"weight_version", "default"},
               {"has_image_understanding", false},
               {"has_audio_understanding", false},
               {"model_type", card.model_type},
               {"architectures", card.architectures}});
}

bool names_model(const ModelCard& card, std::string_view name) {
  return name == card.id || name == card.path || name == "default";
}

}  // namespace tessera::api
