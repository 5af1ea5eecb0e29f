// /v1/chat/completions
#include "api/chat_messages.h"
#include "api/openai_reply.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr Refused kRefused[] = {
    {"tools", Refused::Neutral::kEmpty},
    {"functions", Refused::Neutral::kEmpty},
    {"logprobs", Refused::Neutral::kZero},
    {"top_logprobs", Refused::Neutral::kZero},
    {"continue_final_message", Refused::Neutral::kFalse},
    {"input_ids", Refused::Neutral::kNothing},
};

class ChatReply : public OpenAiReply {
 public:
  using OpenAiReply::OpenAiReply;

  std::string opening() override { return delta({{"role", "assistant"}, {"content", ""}}, engine::Output()); }

  std::string piece(size_t index, const engine::Output& piece) override {
    count(index, piece);
    std::string events;
    if (!piece.text.empty()) {
      engine::Output unfinished;
      events += delta({{"content", piece.text}}, unfinished);
    }
    if (piece.finish) events += delta(Json::object(), piece);
    return events;
  }

  std::string whole(std::span<const engine::Output> answers) override {
    const engine::Output& answer = answers.front();
    return body("chat.completion",
                Json::array({{{"index", 0},
                              {"message",
                               {{"role", "assistant"},
                                {"content", answer.text},
                                {"reasoning_content", nullptr},
                                {"tool_calls", nullptr}}},
                              {"logprobs", nullptr},
                              {"finish_reason", openai_finish_reason(answer)},
                              {"matched_stop", matched_stop(answer)}}}),
                answers);
  }

 protected:
  std::string_view stream_object() const override { return "chat.completion.chunk"; }

 private:
  std::string delta(Json delta, const engine::Output& piece) const {
    return chunk({{"index", 0},
                  {"delta", std::move(delta)},
                  {"logprobs", nullptr},
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
  const Json messages = TRY(normalise_messages(given ? *given : Json()));
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
  const Json json = TRY(parse_body(body));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  TRY_STATUS(check_response_format(fields));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  const StreamOptions options = TRY(read_stream_options(fields, call.stream));
  engine::Request& request = call.requests.emplace_back();
  TRY_STATUS(read_sampling(fields, card, "seed", request));
  const auto asked = TRY(asked_tokens(fields));
  request.prompt_ids = TRY(render(fields, card));
  TRY_STATUS(limit_tokens(asked, -1, card, request));
  call.reply = std::make_unique<ChatReply>(fmt::format("chatcmpl-{}", id), card.id, options, 1);
  return call;
}

}  // namespace tessera::api
