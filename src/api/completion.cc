// /v1/completions
#include <algorithm>
#include <numeric>
#include <utility>

#include "api/logprobs.h"
#include "api/openai_reply.h"
#include "api/prompts.h"
#include "api/sampling_fields.h"

namespace tessera::api {
namespace {

constexpr int32_t kDefaultMaxTokens = 16;  // OpenAI's

constexpr Refused kRefused[] = {
    {"suffix", Refused::Neutral::kEmpty},
    {"response_format", Refused::Neutral::kNothing},
};

/// What the answer shows beside the text.
struct Shown {
  bool logprobs = false;
  std::vector<std::string> echo;  // a prompt's text goes before its answers; empty: none does
  size_t choices = 1;             // to each prompt: the best of its samples
};

/// The mean of its tokens' log-probabilities: how likely the model finds the answer.
double likelihood(const engine::Output& output) {
  double sum = 0;
  for (const auto& at : output.logprobs)
    sum += at.token.logprob;
  return output.logprobs.empty() ? 0 : sum / static_cast<double>(output.logprobs.size());
}

class CompletionReply : public OpenAiReply {
 public:
  CompletionReply(std::string id, const ModelCard& card, StreamOptions options, AnswerCount answers,
                  Shown shown, std::span<const engine::Request> requests)
      : OpenAiReply(std::move(id), card, options, answers), shown_(std::move(shown)) {
    for (const engine::Request& request : requests)
      begun_.push_back(
          {.logprobs = CompletionLogprobs(*card.tokenizer), .first = request.prompt_ids.front()});
  }

  std::string piece(size_t index, const engine::Output& piece) override {
    count(index, piece);
    const bool echoes = !shown_.echo.empty() && !begun_[index].echoed;
    if (piece.text.empty() && piece.logprobs.empty() && !piece.finish && !echoes) return {};
    return chunk(choice(index, index, piece));
  }

  std::string whole(std::span<const engine::Output> all) override {
    Json choices = Json::array();
    for (size_t prompt = 0; prompt < answers().prompts; ++prompt) {
      for (const size_t index : best(all, prompt))
        choices.push_back(choice(choices.size(), index, all[index]));
    }
    return body(stream_object(), std::move(choices), all);
  }

 protected:
  std::string_view stream_object() const override { return "text_completion"; }

 private:
  struct Begun {
    CompletionLogprobs logprobs;
    int32_t first;  // token of the prompt
    bool echoed = false;
  };

  /// The samples of `prompt` that are shown: the likeliest first, or all as they are.
  std::vector<size_t> best(std::span<const engine::Output> all, size_t prompt) const {
    std::vector<size_t> order(answers().samples);
    std::iota(order.begin(), order.end(), prompt * answers().samples);
    if (shown_.choices == order.size()) return order;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return likelihood(all[a]) > likelihood(all[b]); });
    order.resize(shown_.choices);
    return order;
  }

  Json choice(size_t number, size_t index, const engine::Output& output) {
    std::string text = output.text;
    Begun& begun = begun_[index];
    if (!shown_.echo.empty() && !std::exchange(begun.echoed, true)) {
      text = shown_.echo[index / answers().samples] + text;
      begun.logprobs.add_first(begun.first);
      begun.logprobs.add(output.prompt_logprobs);
    }
    begun.logprobs.add(output.logprobs);
    return {{"index", number},
            {"text", std::move(text)},
            {"logprobs", shown_.logprobs ? begun.logprobs.take() : Json()},
            {"finish_reason", openai_finish_reason(output)},
            {"matched_stop", matched_stop(output)}};
  }

  Shown shown_;
  std::vector<Begun> begun_;  // one per request
};

/// The prompts' texts, as sent where they were text.
Result<std::vector<std::string>> echoes(const Json& prompt, const Prompts& prompts, const ModelCard& card) {
  std::vector<std::string> texts;
  for (size_t index = 0; index < prompts.ids.size(); ++index) {
    const Json& one = prompts.is_list ? prompt[index] : prompt;
    if (one.is_string()) {
      texts.push_back(one.get<std::string>());
    } else {
      texts.push_back(TRY(card.tokenizer->decode(prompts.ids[index], false)));
    }
  }
  return texts;
}

/// `best_of`: samples to each prompt, of which `n` are shown. Choosing needs all of all of them.
Result<size_t> read_best_of(const Fields& fields, size_t prompts, size_t n, bool stream,
                            const ModelCard& card) {
  if (!fields.find("best_of")) return n;
  const size_t best_of = TRY(read_count(fields, "best_of", prompts, card));
  if (best_of < n) return fields.wrong("best_of", fmt::format("at least n, which is {}", n));
  if (best_of > n && stream) return fields.wrong("best_of", "n, because stream is true");
  return best_of;
}

}  // namespace

Result<Call> parse_completion(std::string_view body, const ModelCard& card, std::string_view id) {
  const Json json = TRY(parse_body(body, card.limits));
  const Fields fields(json);
  TRY_STATUS(check_model(fields, card));
  TRY_STATUS(refuse_unsupported(fields, refused_everywhere()));
  TRY_STATUS(refuse_unsupported(fields, kRefused));
  Call call;
  call.stream = TRY(fields.boolean("stream", false));
  const StreamOptions options = TRY(read_stream_options(fields, call.stream));
  engine::Request common;
  TRY_STATUS(read_sampling(fields, card, kOpenAiNames, common));
  const bool echo = TRY(fields.boolean("echo", false));
  TRY_STATUS(read_completion_logprobs(fields, echo, common));
  const auto asked = TRY(fields.integer("max_tokens", 0, INT32_MAX));
  const Json* prompt = fields.find("prompt");
  if (!prompt) return fields.wrong("prompt", "text or token ids");
  Prompts prompts = TRY(read_prompts(*prompt, "prompt", card, card.limits.prompts));
  Shown shown{.logprobs = common.logprobs.has_value(), .echo = {}};
  if (echo) shown.echo = TRY(echoes(*prompt, prompts, card));
  AnswerCount count{.prompts = prompts.ids.size()};
  shown.choices = TRY(read_count(fields, "n", count.prompts, card));
  count.samples = TRY(read_best_of(fields, count.prompts, shown.choices, call.stream, card));
  if (count.samples > shown.choices && !common.logprobs) common.logprobs.emplace();
  for (auto& ids : prompts.ids) {
    common.prompt_ids = std::move(ids);
    TRY_STATUS(limit_tokens(asked, kDefaultMaxTokens, card, common));
    add_samples(common, count.samples, call.requests);
  }
  std::string rid = TRY(read_rid(fields, fmt::format("cmpl-{}", id)));
  call.rids.assign(call.requests.size(), rid);
  call.reply = std::make_unique<CompletionReply>(std::move(rid), card, options, count, std::move(shown),
                                                 call.requests);
  return call;
}

}  // namespace tessera::api
