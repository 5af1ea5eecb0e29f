#include "api/sampling_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/stop_regex.h"

namespace tessera::api {
namespace {

constexpr size_t kMaxStops = 64;
constexpr size_t kMaxStopBytes = 1024;
constexpr size_t kMaxBiases = 1024;
constexpr double kMaxBias = 100;  // OpenAI's

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

Status read_stops(const Fields& fields, engine::Request& request) {
  request.stop = TRY(fields.strings("stop"));
  std::erase(request.stop, "");  // matches nowhere and everywhere: clients send it for "none"
  if (request.stop.size() > kMaxStops)
    return fields.wrong("stop", fmt::format("at most {} strings", kMaxStops));
  for (const std::string& stop : request.stop) {
    if (stop.size() > kMaxStopBytes) {
      return fields.wrong("stop", fmt::format("strings of at most {} bytes", kMaxStopBytes));
    }
  }
  request.stop_regex = TRY(fields.strings("stop_regex"));
  std::erase(request.stop_regex, "");
  for (const std::string& pattern : request.stop_regex)
    TRY_STATUS(text::StopRegex::compile(pattern).context("stop_regex"));
  request.stop_token_ids = TRY(fields.ids("stop_token_ids", 0, std::numeric_limits<int32_t>::max()));
  if (request.stop_token_ids.size() > kMaxStops) {
    return fields.wrong("stop_token_ids", fmt::format("at most {} ids", kMaxStops));
  }
  return {};
}

// {"50256": -100}: the keys are token ids, as text because JSON has no others.
Result<std::vector<std::pair<int32_t, float>>> read_logit_bias(const Fields& fields, const ModelCard& card) {
  const Json object = TRY(fields.object("logit_bias"));
  if (object.size() > kMaxBiases) {
    return fields.wrong("logit_bias", fmt::format("at most {} tokens", kMaxBiases));
  }
  std::vector<std::pair<int32_t, float>> biases;
  for (const auto& [key, value] : object.items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    const bool is_token = error == std::errc() && end == key.data() + key.size() && id >= 0;
    if (!is_token || id >= card.vocab_size) {
      return invalid_argument("logit_bias: {} is not a token id, expected one from 0 to {}", shown(Json(key)),
                              card.vocab_size - 1);
    }
    if (!value.is_number() || !(std::abs(value.get<double>()) <= kMaxBias)) {
      return invalid_argument("logit_bias of token {} is {}, expected a number from -{} to {}", id,
                              shown(value), kMaxBias, kMaxBias);
    }
    biases.emplace_back(id, static_cast<float>(value.get<double>()));
  }
  return biases;
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
      {"json_schema", Neutral::kNothing},
      {"regex", Neutral::kNothing},
      {"ebnf", Neutral::kNothing},
      {"structural_tag", Neutral::kNothing},
      {"lora_path", Neutral::kNothing},
      {"custom_logit_processor", Neutral::kNothing},
      {"return_hidden_states", Neutral::kFalse},
  };
  return kRefused;
}

Status read_sampling(const Fields& fields, const ModelCard& card, const SamplingNames& names,
                     engine::Request& request) {
  sampling::SamplingParams& sampling = request.sampling;
  const SamplingDefaults& defaults = card.defaults;
  sampling.temperature = TRY(read_float(fields, "temperature", defaults.temperature, sampling.temperature));
  sampling.top_p = TRY(read_float(fields, "top_p", defaults.top_p, sampling.top_p));
  sampling.min_p = TRY(read_float(fields, "min_p", defaults.min_p, sampling.min_p));
  const auto top_k = TRY(fields.integer("top_k", -1, INT32_MAX));
  sampling.top_k = static_cast<int32_t>(top_k.value_or(defaults.top_k.value_or(sampling.top_k)));
  if (const auto seed = TRY(fields.integer(names.seed, INT64_MIN, INT64_MAX))) {
    sampling.seed = static_cast<uint64_t>(*seed);
  }
  sampling.frequency_penalty = TRY(read_float(fields, "frequency_penalty", {}, 0));
  sampling.presence_penalty = TRY(read_float(fields, "presence_penalty", {}, 0));
  sampling.repetition_penalty =
      TRY(read_float(fields, "repetition_penalty", defaults.repetition_penalty, sampling.repetition_penalty));
  const auto least = TRY(fields.integer(names.min_tokens, 0, INT32_MAX));
  sampling.min_new_tokens = static_cast<int32_t>(least.value_or(0));
  sampling.logit_bias = TRY(read_logit_bias(fields, card));
  TRY_STATUS(sampling::validate(sampling));
  TRY_STATUS(read_stops(fields, request));
  request.ignore_eos = TRY(fields.boolean("ignore_eos", false));
  request.skip_special_tokens = TRY(fields.boolean("skip_special_tokens", true));
  request.keep_stop = TRY(fields.boolean("no_stop_trim", false));
  return {};
}

Result<size_t> read_count(const Fields& fields, std::string_view name, size_t prompts,
                          const ModelCard& card) {
  const auto most =
      static_cast<int64_t>(std::max<size_t>(1, card.limits.prompts / std::max<size_t>(1, prompts)));
  return static_cast<size_t>(TRY(fields.integer(name, 1, most)).value_or(1));
}

void add_samples(const engine::Request& request, size_t count, std::vector<engine::Request>& requests) {
  for (size_t sample = 0; sample < count; ++sample) {
    auto& seed = requests.emplace_back(request).sampling.seed;
    if (seed) *seed += sample;
  }
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
