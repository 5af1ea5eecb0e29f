// /v1/completions
#include "api/openai_reply.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr int32_t kDefaultMaxTokens = 16;  // OpenAI's

constexpr Refused kRefused[] = {
    {"best_of", Refused::Neutral::kOne},
    {"echo", Refused::Neutral::kFalse},
    {"suffix", Refused::Neutral::kEmpty},
    {"logprobs", Refused::Neutral::kZero},
    {"response_format", Refused::Neutral::kNothing},
};

class CompletionReply : public OpenAiReply {
 public:
  using OpenAiReply::OpenAiReply;

  std::string piece(size_t index, const engine::Output& piece) override {
    count(index, piece);
    if (piece.text.empty() && !piece.finish) return {};
    return chunk(choice(index, piece));
  }

  std::string whole(std::span<const engine::Output> answers) override {
    Json choices = Json::array();
    for (size_t index = 0; index < answers.size(); ++index)
      choices.push_back(choice(index, answers[index]));
    return body(stream_object(), std::move(choices), answers);
  }

 protected:
  std::string_view stream_object() const override { return "text_completion"; }

 private:
  static Json choice(size_t index, const engine::Output& output) {
    return {{"index", index},
            {"text", output.text},
            {"logprobs", nullptr},
            {"finish_reason", openai_finish_reason(output)},
            {"matched_stop", matched_stop(output)}};
  }
};

}  // namespace

Result<Call> parse_completion(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  const StreamOptions options = TRY(read_stream_options(fields, call.stream));
  engine::Request common;
  TRY_STATUS(read_sampling(fields, card, "seed", common));
  const auto asked = TRY(fields.integer("max_tokens", 0, INT32_MAX));
  const Json* prompt = fields.find("prompt");
  if (!prompt) return fields.wrong("prompt", "text or token ids");
  Prompts prompts = TRY(read_prompts(*prompt, "prompt", card));
  for (auto& ids : prompts.ids) {
    engine::Request& request = call.requests.emplace_back(common);
    request.prompt_ids = std::move(ids);
    TRY_STATUS(limit_tokens(asked, kDefaultMaxTokens, card, request));
  }
  call.reply =
      std::make_unique<CompletionReply>(fmt::format("cmpl-{}", id), card.id, options, call.requests.size());
  return call;
}

}  // namespace tessera::api
