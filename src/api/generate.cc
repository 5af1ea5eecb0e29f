// /generate, SGLang's native API
#include <chrono>

#include "api/call.h"
#include "api/error.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr int32_t kDefaultMaxNewTokens = 128;  // SGLang's

constexpr Refused kRefused[] = {
    {"input_embeds", Refused::Neutral::kNothing},
    {"image_data", Refused::Neutral::kEmpty},
    {"audio_data", Refused::Neutral::kEmpty},
    {"video_data", Refused::Neutral::kEmpty},
    {"return_logprob", Refused::Neutral::kFalse},
    {"top_logprobs_num", Refused::Neutral::kZero},
    {"token_ids_logprob", Refused::Neutral::kEmpty},
    {"return_hidden_states", Refused::Neutral::kFalse},
    {"lora_path", Refused::Neutral::kNothing},
    {"session_params", Refused::Neutral::kEmpty},
    {"custom_logit_processor", Refused::Neutral::kNothing},
};

// Text and ids of a stream are cumulative: every event repeats all that came before, as SGLang's clients
// expect.
class GenerateReply : public Reply {
 public:
  GenerateReply(std::vector<std::string> ids, bool is_list)
      : ids_(std::move(ids)), is_list_(is_list), so_far_(ids_.size()) {}

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
    Json meta = {{"id", ids_[index]},
                 {"finish_reason", native_finish_reason(output)},
                 {"prompt_tokens", output.prompt_tokens},
                 {"completion_tokens", output.completion_tokens},
                 {"cached_tokens", output.cached_tokens},
                 {"weight_version", "default"},
                 {"total_retractions", 0}};
    if (output.finish) {
      const std::chrono::duration<double> latency = std::chrono::steady_clock::now() - received_;
      meta["e2e_latency"] = latency.count();
    }
    return {{"text", output.text}, {"output_ids", output.ids}, {"meta_info", std::move(meta)}};
  }

  std::vector<std::string> ids_;  // one per prompt
  bool is_list_;
  std::vector<engine::Output> so_far_;
  std::chrono::steady_clock::time_point received_ = std::chrono::steady_clock::now();
};

Result<Prompts> read_input(const Fields& fields, const ModelCard& card) {
  const Json* text = fields.find("text");
  const Json* ids = fields.find("input_ids");
  if (!text == !ids) {
    return invalid_argument("{} given, expected exactly one of text and input_ids",
                            text ? "text and input_ids are both" : "neither text nor input_ids is");
  }
  if (ids && !ids->is_array()) return fields.wrong("input_ids", "a list of token ids");
  return read_prompts(text ? *text : *ids, text ? "text" : "input_ids", card);
}

Result<std::vector<std::string>> read_rids(const Fields& fields, std::string_view id, size_t prompts) {
  auto rids = TRY(fields.strings("rid"));
  if (!rids.empty()) {
    if (rids.size() != prompts)
      return fields.wrong("rid", fmt::format("{} of them, one per prompt", prompts));
    return rids;
  }
  for (size_t index = 0; index < prompts; ++index) {
    rids.push_back(prompts == 1 ? std::string(id) : fmt::format("{}-{}", id, index));
  }
  return rids;
}

Status read_parameters(const Json& json, const ModelCard& card, engine::Request& request) {
  const Fields fields(json, "sampling_params.");
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  TRY_STATUS(read_sampling(fields, card, "sampling_seed", request));
  const auto asked = TRY(fields.integer("max_new_tokens", 0, INT32_MAX));
  return limit_tokens(asked, kDefaultMaxNewTokens, card, request);
}

}  // namespace

Result<Call> parse_generate(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body));
  const Fields fields(json);
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  Prompts prompts = TRY(read_input(fields, card));
  const size_t count = prompts.ids.size();
  // One object for all prompts, or one per prompt.
  const Json* given = fields.find("sampling_params");
  const Json none = Json::object();
  const Json& parameters = given ? *given : none;
  const bool per_prompt = parameters.is_array();
  if (per_prompt && parameters.size() != count) {
    return fields.wrong("sampling_params", fmt::format("{} of them, one per prompt", count));
  }
  for (size_t index = 0; index < count; ++index) {
    const Json& own = per_prompt ? parameters[index] : parameters;
    if (!own.is_object()) return fields.wrong("sampling_params", "an object");
    engine::Request& request = call.requests.emplace_back();
    request.prompt_ids = std::move(prompts.ids[index]);
    TRY_STATUS(read_parameters(own, card, request));
  }
  std::vector<std::string> rids = TRY(read_rids(fields, id, count));
  call.reply = std::make_unique<GenerateReply>(std::move(rids), prompts.is_list);
  return call;
}

}  // namespace tessera::api
