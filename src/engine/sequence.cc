#include "engine/sequence.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/timeline.h"

namespace tessera::engine {
namespace {

// Rows of logits of one chunk of a prompt that wants logprobs: 64 rows of 152,000 are 39 MB.
constexpr int32_t kMaxScoredRows = 64;

}  // namespace

Sequence::Sequence(RequestId id, Request request, OutputCallback callback, uint64_t seed,
                   const text::Tokenizer& tokenizer, std::span<const int32_t> eos_ids)
    : id_(id),
      request_(std::move(request)),
      callback_(std::move(callback)),
      seed_(seed),
      eos_ids_(eos_ids),
      prompt_tokens_(static_cast<int32_t>(request_.prompt_ids.size())),
      ids_(std::move(request_.prompt_ids)),
      prefill_end_(prompt_tokens_),
      scored_(prompt_tokens_),
      text_(tokenizer, request_) {
  if (request_.logprobs && request_.prompt_logprobs_from >= 0)
    scored_ = std::min(prompt_tokens_, std::max(1, request_.prompt_logprobs_from));
  if (request_.sampling.penalizes()) counts_.emplace().add_prompt(ids_);
  if (request_.sampling.min_new_tokens > 0) {
    stop_ids_ = request_.stop_token_ids;
    if (!request_.ignore_eos) stop_ids_.insert(stop_ids_.end(), eos_ids.begin(), eos_ids.end());
  }
}

int64_t Sequence::promised_tokens(double share) const {
  const auto left = static_cast<double>(most_tokens() - token_count());
  return token_count() + static_cast<int64_t>(std::ceil(left * share));
}

std::span<const int32_t> Sequence::reusable_ids() const {
  if (request_.pooling == Pooling::kMean) return {};
  const int32_t most = scores_prompt() ? scored_ - 1 : token_count() - 1;
  return std::span(ids_).first(static_cast<size_t>(most));
}

void Sequence::admit(int32_t cached) {
  DCHECK(cached < token_count() && drafts_ == 0, "request {}: {} cached of {}", id_, cached, token_count());
  computed_ = cached;
  prefill_end_ = token_count();
  if (!admitted_) cached_tokens_ = cached;
  admitted_ = true;
  enter(kPrefillPhase);
}

void Sequence::retract() {
  set_drafts({});
  pooled_.clear();
  computed_ = 0;
  ++retractions_;
  enter(kQueuePhase);
}

/// Tells the timeline; null: it has had its last output.
void Sequence::enter(const char* phase) {
  Timeline* const timeline = Timeline::active();
  if (timeline == nullptr) return;
  timeline->end(phase_, id_);
  if (phase == nullptr) {
    timeline->end("request", id_);
  } else {
    timeline->begin(phase, id_);
    phase_ = phase;
  }
}

SequenceChunk Sequence::next_chunk(int32_t limit) const {
  using Logits = SequenceChunk::Logits;
  using Hidden = SequenceChunk::Hidden;
  int32_t end = std::min(limit, token_count() - computed_) + computed_;
  Logits logits = end == token_count() && request_.max_new_tokens > 0 ? Logits::kLast : Logits::kNone;
  Hidden hidden = Hidden::kNone;
  if (request_.pooling == Pooling::kMean) hidden = Hidden::kAll;
  if (request_.pooling == Pooling::kLast && end == token_count()) hidden = Hidden::kLast;
  if (drafts_ > 0) {
    end += drafts();
    logits = Logits::kAll;
  } else if (scores_prompt()) {
    // The row before a token has its logprobs. Rows are wanted from there to the last token but one of the
    // prompt; that one's next is drawn, in a chunk of its own.
    const bool begun = computed_ == scored_ - 1;
    end = std::min(end, begun ? std::min(prompt_tokens_ - 1, computed_ + kMaxScoredRows) : scored_ - 1);
    logits = begun ? Logits::kAll : Logits::kNone;
  }
  DCHECK(end > computed_ && !finished_, "request {}: nothing to compute at {} of {}", id_, computed_,
         token_count());
  return {
      .ids = std::span(ids_).subspan(static_cast<size_t>(computed_), static_cast<size_t>(end - computed_)),
      .start = computed_,
      .pages = table_.pages,
      .logits = logits,
      .hidden = hidden};
}

void Sequence::set_drafts(std::span<const int32_t> drafts) {
  ids_.resize(static_cast<size_t>(token_count()));
  ids_.insert(ids_.end(), drafts.begin(), drafts.end());
  drafts_ = drafts.size();
}

sampling::Draw Sequence::draw(const SequenceChunk& chunk, std::span<const float> logits) {
  sampling::Draw draw{.logits = logits,
                      .params = &request_.sampling,
                      .seed = seed_,
                      .position = static_cast<uint64_t>(completion_tokens()),
                      .forbidden = stop_ids_,
                      .counts = counts_ ? &*counts_ : nullptr,
                      .logprobs = request_.logprobs ? &*request_.logprobs : nullptr};
  const auto next = std::span<const int32_t>(ids_).subspan(static_cast<size_t>(chunk.start) + 1);
  if (scores_prompt()) {
    draw.known = next.first(chunk.ids.size());
  } else {
    draw.drafts = next.first(drafts_);
  }
  return draw;
}

void Sequence::advance(const SequenceChunk& chunk) {
  // Of drafts nothing is known yet.
  const bool was_prefilling = prefilling();
  computed_ += static_cast<int32_t>(chunk.ids.size() - drafts_);
  if (was_prefilling && !prefilling()) enter(kDecodePhase);
  DCHECK(computed_ <= token_count());
  if (request_.max_new_tokens > 0 || prefilling()) return;
  Output output;
  if (request_.pooling) output.embedding = pooled_.mean();
  finish(std::move(output), {.kind = FinishReason::Kind::kLength});
}

bool Sequence::is_stop_token(int32_t token) const {
  const auto& own = request_.stop_token_ids;
  if (std::find(own.begin(), own.end(), token) != own.end()) return true;
  return !request_.ignore_eos && std::find(eos_ids_.begin(), eos_ids_.end(), token) != eos_ids_.end();
}

void Sequence::take(const sampling::Drawn& drawn) {
  if (drawn.tokens.empty()) {
    scored_ += static_cast<int32_t>(drawn.logprobs.size());
    prompt_logprobs_.insert(prompt_logprobs_.end(), drawn.logprobs.begin(), drawn.logprobs.end());
    return;
  }
  set_drafts({});
  Output output;
  std::optional<FinishReason> end;
  for (size_t at = 0; at < drawn.tokens.size() && !end; ++at) {
    // All but the last are drafts that were right: they are in the cache.
    if (at > 0) ++computed_;
    output.ids.push_back(drawn.tokens[at]);
    if (at < drawn.logprobs.size()) output.logprobs.push_back(drawn.logprobs[at]);
    end = accept(drawn.tokens[at], output.text);
  }
  if (end) return finish(std::move(output), std::move(*end));
  tell(std::move(output));
}

/// Appends a token and what it adds to the text; why it was the last, if it was.
std::optional<FinishReason> Sequence::accept(int32_t token, std::string& text) {
  ids_.push_back(token);
  const bool stopped = is_stop_token(token);
  if (!stopped || request_.keep_stop) {
    AnswerText::Piece piece = text_.push(token);
    text += piece.text;
    if (piece.matched) return FinishReason{.matched = std::move(*piece.matched)};
  }
  // A stop token on the last permitted place is still a stop: the model had come to its end.
  if (stopped) return FinishReason{.matched = token};
  if (completion_tokens() == request_.max_new_tokens)
    return FinishReason{.kind = FinishReason::Kind::kLength};
  return std::nullopt;
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
  if (finished_) enter(nullptr);
  output.prompt_tokens = prompt_tokens_;
  output.completion_tokens = completion_tokens();
  output.cached_tokens = cached_tokens_;
  output.retractions = retractions_;
  output.prompt_logprobs = std::exchange(prompt_logprobs_, {});
  callback_(output);
}

}  // namespace tessera::engine
