#include "api/openai_reply.h"

#include <ctime>

#include "api/error.h"

namespace tessera::api {

Result<StreamOptions> read_stream_options(const Fields& fields, bool stream) {
  const Json object = TRY(fields.object("stream_options"));
  if (!stream && !object.empty())
    return invalid_argument("stream_options is given, expected it with stream = true only");
  const Fields options(object, "stream_options.");
  StreamOptions read;
  read.include_usage = TRY(options.boolean("include_usage", false));
  read.continuous_usage = TRY(options.boolean("continuous_usage_stats", false));
  return read;
}

Status check_model(const Fields& fields, const ModelCard& card) {
  const auto name = TRY(fields.string("model"));
  if (name && !names_model(card, *name)) {
    return invalid_argument("model {} does not exist, this server has \"{}\"", shown(*name), card.id);
  }
  return {};
}

Result<std::string> read_rid(const Fields& fields, std::string fallback) {
  auto rid = TRY(fields.string("rid"));
  return rid && !rid->empty() ? std::move(*rid) : std::move(fallback);
}

OpenAiReply::OpenAiReply(std::string id, const ModelCard& card, StreamOptions options, AnswerCount answers)
    : id_(std::move(id)),
      model_(card.id),
      tokenizer_(*card.tokenizer),
      created_(static_cast<int64_t>(std::time(nullptr))),
      options_(options),
      answers_(answers),
      counts_(answers.prompts * answers.samples) {}

void OpenAiReply::count(size_t index, const engine::Output& piece) {
  counts_[index] = {
      .prompt = piece.prompt_tokens, .cached = piece.cached_tokens, .completion = piece.completion_tokens};
}

Json OpenAiReply::envelope(std::string_view object, Json choices) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", model_},
          {"choices", std::move(choices)}};
}

Json OpenAiReply::usage(std::span<const Counts> counts) const {
  Counts sum;
  for (size_t index = 0; index < counts.size(); ++index) {
    sum.completion += counts[index].completion;
    if (index % answers_.samples != 0) continue;  // its prompt is the one before
    sum.prompt += counts[index].prompt;
    sum.cached += counts[index].cached;
  }
  return {{"prompt_tokens", sum.prompt},
          {"total_tokens", sum.prompt + sum.completion},
          {"completion_tokens", sum.completion},
          {"prompt_tokens_details", {{"cached_tokens", sum.cached}}}};
}

std::string OpenAiReply::chunk(Json choice) const {
  Json chunk = envelope(stream_object(), Json::array({std::move(choice)}));
  if (options_.continuous_usage) chunk["usage"] = usage(counts_);
  return event(chunk);
}

std::string OpenAiReply::body(std::string_view object, Json choices,
                              std::span<const engine::Output> answers) const {
  std::vector<Counts> counts;
  for (const auto& answer : answers)
    counts.push_back({answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens});
  Json body = envelope(object, std::move(choices));
  body["usage"] = usage(counts);
  return dump(body);
}

std::string OpenAiReply::closing() {
  if (!options_.include_usage) return {};
  Json last = envelope(stream_object(), Json::array());
  last["usage"] = usage(counts_);
  return event(last);
}

std::string OpenAiReply::failure(const Error& error) {
  return openai_error_event(error);
}

std::string OpenAiReply::error_body(const Error& error) {
  return openai_error(http_status(error.code()), public_message(error));
}

}  // namespace tessera::api
