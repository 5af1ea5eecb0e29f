// /v1/chat/completions
#include "api/chat_messages.h"
#include "api/logprobs.h"
#include "api/openai_reply.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr Refused kRefused[] = {
    {"tools", Refused::Neutral::kEmpty},
    {"functions", Refused::Neutral::kEmpty},
    {"continue_final_message", Refused::Neutral::kFalse},
    {"input_ids", Refused::Neutral::kNothing},
};

class ChatReply : public OpenAiReply {
 public:
  using OpenAiReply::OpenAiReply;

  std::string opening() override {
    std::string events;
    for (size_t index = 0; index < answers().samples; ++index)
      events += delta(index, {{"role", "assistant"}, {"content", ""}}, nullptr, engine::Output());
    return events;
  }

  std::string piece(size_t index, const engine::Output& piece) override {
    count(index, piece);
    std::string events;
    if (!piece.text.empty() || !piece.logprobs.empty()) {
      events += delta(index, {{"content", piece.text}}, logprobs(piece), engine::Output());
    }
    if (piece.finish) events += delta(index, Json::object(), nullptr, piece);
    return events;
  }

  std::string whole(std::span<const engine::Output> all) override {
    Json choices = Json::array();
    for (size_t index = 0; index < all.size(); ++index) {
      choices.push_back({{"index", index},
                         {"message",
                          {{"role", "assistant"},
                           {"content", all[index].text},
                           {"reasoning_content", nullptr},
                           {"tool_calls", nullptr}}},
                         {"logprobs", logprobs(all[index])},
                         {"finish_reason", openai_finish_reason(all[index])},
                         {"matched_stop", matched_stop(all[index])}});
    }
    return body("chat.completion", std::move(choices), all);
  }

 protected:
  std::string_view stream_object() const override { return "chat.completion.chunk"; }

 private:
  Json logprobs(const engine::Output& output) const {
    return output.logprobs.empty() ? Json() : chat_logprobs(output.logprobs, tokenizer());
  }
  std::string delta(size_t index, Json delta, Json logprobs, const engine::Output& piece) const {
    return chunk({{"index", index},
                  {"delta", std::move(delta)},
                  {"logprobs", std::move(logprobs)},
                  {"finish_reason", openai_finish_reason(piece)},
                  {"matched_stop", matched_stop(piece)}});
  }
};

Status check_response_format(const Fields& fields) {
  const Json format = TRY(fields.object("response_format"));
  if (format.empty()) return {};
  const auto type = TRY(Fields(format, "response_format.").string("type"));
  if (type == "text") return {};
  return unsupported("response_format.type = {} is not supported yet, expected \"text\"",
                     type ? shown(*type) : "null");
}

Result<std::optional<int64_t>> asked_tokens(const Fields& fields) {
  auto asked = TRY(fields.integer("max_completion_tokens", 0, INT32_MAX));
  if (!asked) asked = TRY(fields.integer("max_tokens", 0, INT32_MAX));
  return asked;
}

Result<std::vector<int32_t>> render(const Fields& fields, const ModelCard& card) {
  const Json* given = fields.find("messages");
  const Json messages = TRY(normalise_messages(given ? *given : Json(), card.limits));
  if (!card.chat_template) {
    return unsupported(
        "model \"{}\" has no chat template, start the server with --chat-template FILE or use "
        "/v1/completions",
        card.id);
  }
  const Json kwargs = TRY(fields.object("chat_template_kwargs"));
  auto prompt = card.chat_template->render(messages, nullptr, true, kwargs);
  // Templates refuse what they cannot express (raise_exception): that is about the messages.
  if (!prompt) return invalid_argument("chat template: {}", prompt.error().message());
  // The template writes the special tokens itself.
  auto ids = encode_prompt(*prompt, false, card);
  if (!ids) return invalid_argument("messages: {}", ids.error().message());
  return ids;
}

}  // namespace

Result<Call> parse_chat(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  TRY_STATUS(check_response_format(fields));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  const StreamOptions options = TRY(read_stream_options(fields, call.stream));
  engine::Request request;
  TRY_STATUS(read_sampling(fields, card, kOpenAiNames, request));
  TRY_STATUS(read_chat_logprobs(fields, request));
  const size_t samples = TRY(read_count(fields, "n", 1, card));
  const auto asked = TRY(asked_tokens(fields));
  request.prompt_ids = TRY(render(fields, card));
  TRY_STATUS(limit_tokens(asked, -1, card, request));
  add_samples(request, samples, call.requests);
  std::string rid = TRY(read_rid(fields, fmt::format("chatcmpl-{}", id)));
  call.rids.assign(samples, rid);
  call.reply = std::make_unique<ChatReply>(std::move(rid), card, options, AnswerCount{.samples = samples});
  return call;
}

}  // namespace tessera::api
