#include "api/sampling_fields.h"

#include <algorithm>
#include <limits>

namespace tessera::api {
namespace {

constexpr size_t kMaxStops = 64;
constexpr size_t kMaxStopBytes = 1024;

using Neutral = Refused::Neutral;

bool is_neutral(const Json& value, Neutral neutral) {
  switch (neutral) {
    case Neutral::kZero:
      // false and 0 both say "none": `logprobs` is a flag in one API and a count in another.
      return (value.is_number() && value.get<double>() == 0.0) || value == Json(false);
    case Neutral::kOne:
      return value.is_number() && value.get<double>() == 1.0;
    case Neutral::kFalse:
      return value == Json(false);
    case Neutral::kEmpty:
      return (value.is_array() || value.is_object() || value.is_string()) && value.empty();
    case Neutral::kNothing:
      return false;
  }
  return false;
}

std::string_view neutral_text(Neutral neutral) {
  switch (neutral) {
    case Neutral::kZero:
      return "only 0 is accepted";
    case Neutral::kOne:
      return "only 1 is accepted";
    case Neutral::kFalse:
      return "only false is accepted";
    case Neutral::kEmpty:
    case Neutral::kNothing:
      return "leave it out";
  }
  return "";
}

Result<float> read_float(const Fields& fields, std::string_view name, std::optional<double> model_default,
                         float fallback) {
  const auto value = TRY(fields.number(name));
  return static_cast<float>(value.value_or(model_default.value_or(fallback)));
}

}  // namespace

Status refuse_unsupported(const Fields& fields, std::span<const Refused> refused) {
  for (const Refused& field : refused) {
    const Json* value = fields.find(field.name);
    if (value && !is_neutral(*value, field.neutral)) {
      return unsupported("{} = {} is not supported yet, {}", field.name, shown(*value),
                         neutral_text(field.neutral));
    }
  }
  return {};
}

std::span<const Refused> refused_everywhere() {
  static constexpr Refused kRefused[] = {
      {"n", Neutral::kOne},
      {"frequency_penalty", Neutral::kZero},
      {"presence_penalty", Neutral::kZero},
      {"repetition_penalty", Neutral::kOne},
      {"min_new_tokens", Neutral::kZero},
      {"min_tokens", Neutral::kZero},
      {"logit_bias", Neutral::kEmpty},
      {"json_schema", Neutral::kNothing},
      {"regex", Neutral::kNothing},
      {"ebnf", Neutral::kNothing},
      {"structural_tag", Neutral::kNothing},
      {"stop_regex", Neutral::kEmpty},
      {"custom_logit_processor", Neutral::kNothing},
      {"lora_path", Neutral::kNothing},
      {"return_hidden_states", Neutral::kFalse},
  };
  return kRefused;
}

Status read_sampling(const Fields& fields, const ModelCard& card, std::string_view seed_name,
                     engine::Request& request) {
  sampling::SamplingParams& sampling = request.sampling;
  const SamplingDefaults& defaults = card.defaults;
  sampling.temperature = TRY(read_float(fields, "temperature", defaults.temperature, sampling.temperature));
  sampling.top_p = TRY(read_float(fields, "top_p", defaults.top_p, sampling.top_p));
  sampling.min_p = TRY(read_float(fields, "min_p", defaults.min_p, sampling.min_p));
  const auto top_k = TRY(fields.integer("top_k", -1, INT32_MAX));
  sampling.top_k = static_cast<int32_t>(top_k.value_or(defaults.top_k.value_or(sampling.top_k)));
  if (const auto seed = TRY(fields.integer(seed_name, INT64_MIN, INT64_MAX))) {
    sampling.seed = static_cast<uint64_t>(*seed);
  }
  TRY_STATUS(sampling::validate(sampling));

  request.stop = TRY(fields.strings("stop"));
  std::erase(request.stop, "");  // matches nowhere and everywhere: clients send it for "none"
  if (request.stop.size() > kMaxStops)
    return fields.wrong("stop", fmt::format("at most {} strings", kMaxStops));
  for (const std::string& stop : request.stop) {
    if (stop.size() > kMaxStopBytes) {
      return fields.wrong("stop", fmt::format("strings of at most {} bytes", kMaxStopBytes));
    }
  }
  request.stop_token_ids = TRY(fields.ids("stop_token_ids", 0, std::numeric_limits<int32_t>::max()));
  if (request.stop_token_ids.size() > kMaxStops) {
    return fields.wrong("stop_token_ids", fmt::format("at most {} ids", kMaxStops));
  }
  request.ignore_eos = TRY(fields.boolean("ignore_eos", false));
  request.skip_special_tokens = TRY(fields.boolean("skip_special_tokens", true));
  request.keep_stop = TRY(fields.boolean("no_stop_trim", false));
  return {};
}

Status limit_tokens(std::optional<int64_t> asked, int32_t fallback, const ModelCard& card,
                    engine::Request& request) {
  const auto prompt = static_cast<int64_t>(request.prompt_ids.size());
  const int64_t left = card.max_model_len - prompt;
  if (prompt == 0) return invalid_argument("the prompt has no tokens, expected at least one");
  if (left < 0 || (left == 0 && asked.value_or(1) > 0)) {
    return invalid_argument("the prompt has {} tokens, expected fewer than the model's context of {}", prompt,
                            card.max_model_len);
  }
  if (asked && *asked > left) {
    return invalid_argument(
        "the prompt's {} tokens and {} new ones make {}, expected at most the model's context of {}", prompt,
        *asked, prompt + *asked, card.max_model_len);
  }
  const int64_t unasked = fallback < 0 ? left : std::min<int64_t>(fallback, left);
  request.max_new_tokens = static_cast<int32_t>(asked.value_or(unasked));
  return {};
}

}  // namespace tessera::api
