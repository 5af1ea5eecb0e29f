#include "engine/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace tessera::engine {

Sequence::Sequence(RequestId id, Request request, OutputCallback callback, uint64_t seed,
                   const text::Tokenizer& tokenizer)
    : id_(id),
      request_(std::move(request)),
      callback_(std::move(callback)),
      seed_(seed),
      prompt_tokens_(static_cast<int32_t>(request_.prompt_ids.size())),
      ids_(std::move(request_.prompt_ids)),
      text_(tokenizer, request_) {}

SequenceChunk Sequence::next_chunk(int32_t limit) const {
  const int32_t count = std::min(limit, token_count() - computed_);
  DCHECK(count >= 1 && !finished_, "request {}: nothing to compute at {} of {}", id_, computed_,
         token_count());
  return {.ids = std::span(ids_).subspan(static_cast<size_t>(computed_), static_cast<size_t>(count)),
          .start = computed_,
          .pages = pages_,
          .wants_logits = computed_ + count == token_count() && request_.max_new_tokens > 0};
}

void Sequence::advance(int32_t tokens) {
  computed_ += tokens;
  DCHECK(computed_ <= token_count());
  if (request_.max_new_tokens == 0 && !prefilling()) finish({}, {.kind = FinishReason::Kind::kLength});
}

bool Sequence::is_stop_token(int32_t token, std::span<const int32_t> eos_ids) const {
  const auto& own = request_.stop_token_ids;
  if (std::find(own.begin(), own.end(), token) != own.end()) return true;
  return !request_.ignore_eos && std::find(eos_ids.begin(), eos_ids.end(), token) != eos_ids.end();
}

void Sequence::accept(int32_t token, std::span<const int32_t> eos_ids) {
  ids_.push_back(token);
  Output output{.ids = {token}};
  const bool stopped = is_stop_token(token, eos_ids);
  if (!stopped || request_.keep_stop) {
    AnswerText::Piece piece = text_.push(token);
    output.text = std::move(piece.text);
    if (piece.matched) return finish(std::move(output), {.matched = std::move(*piece.matched)});
  }
  // A stop token on the last permitted place is still a stop: the model had come to its end.
  if (stopped) return finish(std::move(output), {.matched = token});
  if (completion_tokens() == request_.max_new_tokens) {
    return finish(std::move(output), {.kind = FinishReason::Kind::kLength});
  }
  tell(std::move(output));
}

void Sequence::finish(Output output, FinishReason reason) {
  AnswerText::Piece rest = text_.finish();
  output.text += rest.text;
  // A half character that ends the answer may complete a stop string.
  if (rest.matched && reason.kind == FinishReason::Kind::kLength)
    reason = {.matched = std::move(*rest.matched)};
  output.finish = std::move(reason);
  tell(std::move(output));
}

void Sequence::abort(const Error& why) {
  tell({.finish = FinishReason{.kind = FinishReason::Kind::kAbort, .error = why}});
}

void Sequence::tell(Output output) {
  CHECK(!finished_, "request {} has been finished before", id_);
  finished_ = output.finish.has_value();
  output.prompt_tokens = prompt_tokens_;
  output.completion_tokens = completion_tokens();
  callback_(output);
}

}  // namespace tessera::engine
