// Log-probabilities as the three APIs tell them, and the fields that ask for them. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "api/fields.h"
#include "api/model_card.h"
#include "engine/request.h"

namespace tessera::api {

/// `logprobs` (a flag) and `top_logprobs` of chat; `logprobs` (a count) of completions, where `echo` wants
/// the prompt's too.
Status read_chat_logprobs(const Fields& fields, engine::Request& request);
Status read_completion_logprobs(const Fields& fields, bool echo, engine::Request& request);

/// {"content":[{"token","bytes","logprob","top_logprobs":[...]}],"refusal":null}
Json chat_logprobs(std::span<const sampling::Logprobs> positions, const text::Tokenizer& tokenizer);

/// {"tokens","token_logprobs","top_logprobs","text_offset"}: grows with each piece of an answer.
class CompletionLogprobs {
 public:
  /// `offset`: characters of the answer's text before what comes first.
  explicit CompletionLogprobs(const text::Tokenizer& tokenizer, int64_t offset = 0)
      : tokenizer_(&tokenizer), offset_(offset) {}

  /// A token that nothing stands before: it has no probability.
  void add_first(int32_t token);
  void add(std::span<const sampling::Logprobs> positions);

  /// What was added since the last call.
  Json take();

 private:
  void add_token(const std::string& text, Json logprob, Json top);

  const text::Tokenizer* tokenizer_;
  int64_t offset_;
  Json tokens_ = Json::array(), logprobs_ = Json::array(), tops_ = Json::array(), offsets_ = Json::array();
};

/// What /generate was asked for about one prompt.
struct NativeLogprobs {
  bool wanted = false;
  bool text = false;   // beside the ids
  int32_t start = -1;  // of the prompt's tokens from this one on; -1: of none
};

/// The members of meta_info. As in SGLang the first prompt token told of has no value (null), whichever it
/// is.
void add_native_logprobs(const NativeLogprobs& asked, std::span<const int32_t> prompt_ids,
                         const engine::Output& output, const text::Tokenizer& tokenizer, Json& meta);

}  // namespace tessera::api
