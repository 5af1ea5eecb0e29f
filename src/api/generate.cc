// /generate, SGLang's native API
#include <algorithm>
#include <chrono>

#include "api/call.h"
#include "api/error.h"
#include "api/logprobs.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr int32_t kDefaultMaxNewTokens = 128;  // SGLang's
constexpr int64_t kMaxTopLogprobs = 128;
constexpr size_t kMaxLogprobIds = 1024;

constexpr Refused kRefused[] = {
    {"input_embeds", Refused::Neutral::kNothing},
    {"image_data", Refused::Neutral::kEmpty},
    {"audio_data", Refused::Neutral::kEmpty},
    {"video_data", Refused::Neutral::kEmpty},
    {"return_hidden_states", Refused::Neutral::kFalse},
    {"lora_path", Refused::Neutral::kNothing},
    {"session_params", Refused::Neutral::kEmpty},
    {"custom_logit_processor", Refused::Neutral::kNothing},
};

/// What one answer is called and shows.
struct Answer {
  std::string id;
  NativeLogprobs logprobs;
  std::vector<int32_t> prompt_ids;  // with logprobs
};

// Text, ids and log-probabilities of a stream are cumulative: every event repeats all that came before, as
// SGLang's clients expect.
class GenerateReply : public Reply {
 public:
  GenerateReply(std::vector<Answer> answers, bool is_list, const text::Tokenizer& tokenizer)
      : answers_(std::move(answers)), is_list_(is_list), tokenizer_(tokenizer), so_far_(answers_.size()) {}

  std::string piece(size_t index, const engine::Output& piece) override {
    merge(so_far_[index], piece);
    Json value = answer(index, so_far_[index]);
    if (is_list_) value["index"] = index;
    return event(value);
  }

  std::string failure(const Error& error) override { return native_error_event(error); }
  std::string error_body(const Error& error) override { return native_error(public_message(error)); }

  std::string whole(std::span<const engine::Output> answers) override {
    if (!is_list_) return dump(answer(0, answers.front()));
    Json list = Json::array();
    for (size_t index = 0; index < answers.size(); ++index)
      list.push_back(answer(index, answers[index]));
    return dump(list);
  }

 private:
  Json answer(size_t index, const engine::Output& output) const {
    const Answer& own = answers_[index];
    Json meta = {{"id", own.id},
                 {"finish_reason", native_finish_reason(output)},
                 {"prompt_tokens", output.prompt_tokens},
                 {"completion_tokens", output.completion_tokens},
                 {"cached_tokens", output.cached_tokens},
                 {"weight_version", "default"},
                 {"total_retractions", output.retractions}};
    add_native_logprobs(own.logprobs, own.prompt_ids, output, tokenizer_, meta);
    if (output.finish) {
      const std::chrono::duration<double> latency = std::chrono::steady_clock::now() - received_;
      meta["e2e_latency"] = latency.count();
    }
    return {{"text", output.text}, {"output_ids", output.ids}, {"meta_info", std::move(meta)}};
  }

  std::vector<Answer> answers_;
  bool is_list_;
  const text::Tokenizer& tokenizer_;
  std::vector<engine::Output> so_far_;
  std::chrono::steady_clock::time_point received_ = std::chrono::steady_clock::now();
};

/// The value of `name` for prompt `index` of `count`: one for all, or a list with one each. `value_is_list`:
/// one value is a list of numbers.
Result<Json> own_value(const Fields& fields, std::string_view name, size_t index, size_t count,
                       bool value_is_list = false) {
  const Json* value = fields.find(name);
  if (!value) return Json();
  const bool per_prompt =
      value->is_array() && (!value_is_list || (!value->empty() && !(*value)[0].is_number()));
  if (!per_prompt) return *value;
  if (value->size() != count) return fields.wrong(name, fmt::format("{} of them, one per prompt", count));
  return (*value)[index];
}

/// The fields about log-probabilities, for prompt `index` of `count`.
Result<NativeLogprobs> read_logprobs(const Fields& fields, size_t index, size_t count, const ModelCard& card,
                                     engine::Request& request) {
  Json own = Json::object();
  own["return_logprob"] = TRY(own_value(fields, "return_logprob", index, count));
  own["logprob_start_len"] = TRY(own_value(fields, "logprob_start_len", index, count));
  own["top_logprobs_num"] = TRY(own_value(fields, "top_logprobs_num", index, count));
  own["token_ids_logprob"] = TRY(own_value(fields, "token_ids_logprob", index, count, true));
  const Fields values(own);
  NativeLogprobs asked;
  asked.wanted = TRY(values.boolean("return_logprob", false));
  asked.text = TRY(fields.boolean("return_text_in_logprobs", false));
  const auto prompt = static_cast<int64_t>(request.prompt_ids.size());
  const auto start = TRY(values.integer("logprob_start_len", -1, prompt));
  const auto top = TRY(values.integer("top_logprobs_num", 0, kMaxTopLogprobs));
  auto ids = TRY(values.ids("token_ids_logprob", 0, card.vocab_size - 1));
  if (ids.size() > kMaxLogprobIds) {
    return values.wrong("token_ids_logprob", fmt::format("at most {} ids", kMaxLogprobIds));
  }
  if (!asked.wanted) return asked;
  request.logprobs = {.top = static_cast<int32_t>(top.value_or(0)), .tokens = std::move(ids)};
  asked.start = static_cast<int32_t>(start.value_or(-1));
  // The first one told of has no value, so the engine begins behind it.
  if (asked.start >= 0 && asked.start + 1 < prompt) request.prompt_logprobs_from = asked.start + 1;
  return asked;
}

struct Sampled {
  engine::Request request;
  size_t samples = 1;
};

Result<Sampled> read_parameters(const Json& json, std::vector<int32_t> prompt_ids, size_t prompts,
                                const ModelCard& card) {
  const Fields fields(json, "sampling_params.");
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  Sampled sampled;
  sampled.request.prompt_ids = std::move(prompt_ids);
  TRY_STATUS(read_sampling(fields, card, kNativeNames, sampled.request));
  sampled.samples = TRY(read_count(fields, "n", prompts, card));
  const auto asked = TRY(fields.integer("max_new_tokens", 0, INT32_MAX));
  TRY_STATUS(limit_tokens(asked, kDefaultMaxNewTokens, card, sampled.request));
  return sampled;
}

}  // namespace

Result<Call> parse_generate(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  Prompts prompts = TRY(read_native_prompts(fields, card, card.limits.prompts));
  const size_t count = prompts.ids.size();
  const auto rids = TRY(read_rids(fields, id, count));
  std::vector<Answer> answers;
  for (size_t index = 0; index < count; ++index) {
    Json own = TRY(own_value(fields, "sampling_params", index, count));
    if (own.is_null()) own = Json::object();
    if (!own.is_object()) return fields.wrong("sampling_params", "an object, or one per prompt");
    Sampled sampled = TRY(read_parameters(own, std::move(prompts.ids[index]), count, card));
    const auto logprobs = TRY(read_logprobs(fields, index, count, card, sampled.request));
    for (size_t sample = 0; sample < sampled.samples; ++sample) {
      answers.push_back(
          {.id = sampled.samples == 1 ? rids[index] : fmt::format("{}_{}", rids[index], sample),
           .logprobs = logprobs,
           .prompt_ids = logprobs.wanted ? sampled.request.prompt_ids : std::vector<int32_t>()});
      call.rids.push_back(rids[index]);
    }
    add_samples(sampled.request, sampled.samples, call.requests);
  }
  const bool is_list = prompts.is_list || call.requests.size() > 1;
  call.reply = std::make_unique<GenerateReply>(std::move(answers), is_list, *card.tokenizer);
  return call;
}

}  // namespace tessera::api
