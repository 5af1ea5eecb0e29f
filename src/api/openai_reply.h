// What the answers of /v1/chat/completions and /v1/completions share: envelope, usage, errors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/fields.h"

namespace tessera::api {

/// `stream_options`, read once.
struct StreamOptions {
  bool include_usage = false;
  bool continuous_usage = false;
};
Result<StreamOptions> read_stream_options(const Fields& fields, bool stream);

/// kInvalidArgument unless `model` is absent or names the served model.
Status check_model(const Fields& fields, const ModelCard& card);

/// The client's own `rid`, or `fallback`, e.g. "chatcmpl-...": what the answer is called.
Result<std::string> read_rid(const Fields& fields, std::string fallback);

/// The number of answers: `samples` to each of `prompts` prompts, in the order of the prompts.
struct AnswerCount {
  size_t prompts = 1;
  size_t samples = 1;
};

class OpenAiReply : public Reply {
 public:
  /// `id` names the answer.
  OpenAiReply(std::string id, const ModelCard& card, StreamOptions options, AnswerCount answers);

  std::string closing() override;
  std::string failure(const Error& error) override;
  std::string error_body(const Error& error) override;

 protected:
  /// The "object" of a stream's chunks.
  virtual std::string_view stream_object() const = 0;
  /// {"id","object","created","model","choices":[choice]} and usage where it is asked for.
  std::string chunk(Json choice) const;
  std::string body(std::string_view object, Json choices, std::span<const engine::Output> answers) const;
  /// Remembers the counts for usage.
  void count(size_t index, const engine::Output& piece);
  const AnswerCount& answers() const { return answers_; }
  const text::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  struct Counts {
    int64_t prompt = 0;
    int64_t cached = 0;
    int64_t completion = 0;
  };
  Json envelope(std::string_view object, Json choices) const;
  Json usage(std::span<const Counts> counts) const;

  std::string id_;
  std::string model_;
  const text::Tokenizer& tokenizer_;
  int64_t created_;
  StreamOptions options_;
  AnswerCount answers_;
  std::vector<Counts> counts_;  // one per answer
};

}  // namespace tessera::api
