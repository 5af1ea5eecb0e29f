// Sequence: one request from the queue to its last output: its tokens, how many of them are in the cache, the
// pages it holds, and what it tells its client. It knows nothing of other sequences. Engine thread only.
//
// The one number that says where it stands is `computed`: tokens 0 .. computed-1 are in the cache. A prompt
// chunk and a decode row are the same thing, a run of tokens from `computed` on; a decode row is a run of
// one, and of as many more as are guessed at (drafts).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/answer_text.h"
#include "engine/executor.h"
#include "engine/page_ledger.h"
#include "engine/request.h"
#include "sampling/batch_sampler.h"

namespace tessera::engine {

/// Where a request stands, on a Timeline.
inline constexpr const char* kQueuePhase = "queue";
inline constexpr const char* kPrefillPhase = "prefill";
inline constexpr const char* kDecodePhase = "decode";

class Sequence {
 public:
  /// `request` passed check_request(); `seed` decides its draws together with the position in the answer.
  /// `eos_ids`, the model's, outlive it.
  Sequence(RequestId id, Request request, OutputCallback callback, uint64_t seed,
           const text::Tokenizer& tokenizer, std::span<const int32_t> eos_ids);

  RequestId id() const { return id_; }
  int64_t most_tokens() const { return int64_t{prompt_tokens_} + request_.max_new_tokens; }
  /// Those there are and `share` of those that may still come, rounded up.
  int64_t promised_tokens(double share) const;
  int32_t token_count() const { return static_cast<int32_t>(ids_.size() - drafts_); }
  int32_t prompt_tokens() const { return prompt_tokens_; }
  int32_t cached_tokens() const { return cached_tokens_; }
  int32_t completion_tokens() const { return token_count() - prompt_tokens_; }
  int32_t retractions() const { return retractions_; }
  int32_t computed() const { return computed_; }
  /// What it had when it was admitted is not yet in the cache: the prompt, or after a retraction what it had
  /// drawn too.
  bool prefilling() const { return computed_ < prefill_end_; }
  bool finished() const { return finished_; }

  /// Until when it waits for its first step, on the scheduler's clock; else for ever.
  void set_deadline(double seconds) { deadline_ = seconds; }
  bool expired(double now) const { return !admitted_ && now > deadline_; }

  std::span<const int32_t> ids() const { return std::span(ids_).first(static_cast<size_t>(token_count())); }
  /// The beginning that may be taken from the cache: the last token must be computed for its logits, and so
  /// must all whose logprobs are wanted, and all that a mean is taken of.
  std::span<const int32_t> reusable_ids() const;

  PageTable& table() { return table_; }
  const PageTable& table() const { return table_; }

  /// It runs: table() has pages, of which those with the first `cached` tokens are computed.
  void admit(int32_t cached);
  /// It waits again, and begins anew with what it has.
  void retract();

  /// The next at most `limit` >= 1 tokens to compute, and the drafts behind. The spans live until take() or
  /// the end of the sequence.
  SequenceChunk next_chunk(int32_t limit) const;
  /// Guesses at what comes behind its tokens; only while it decodes, at most most_tokens() - token_count()
  /// - 1.
  void set_drafts(std::span<const int32_t> drafts);
  int32_t drafts() const { return static_cast<int32_t>(drafts_); }

  /// What is to be made of the logits of `chunk`, its next_chunk().
  sampling::Draw draw(const SequenceChunk& chunk, std::span<const float> logits);

  /// Before advance(): the hidden states of `chunk`, F32 [rows, width]. kInternal when they are not finite.
  Status pool(std::span<const float> states, size_t width) { return pooled_.add(states, width); }

  /// `chunk` is in the cache. A request for no tokens is finished when its prompt is.
  void advance(const SequenceChunk& chunk);
  /// After advance(): what was drawn joins its tokens and is told; finishes it if that was the last.
  void take(const sampling::Drawn& drawn);

  /// Ends it with kAbort.
  void abort(const Error& why);

 private:
  bool is_stop_token(int32_t token) const;
  bool scores_prompt() const { return scored_ < prompt_tokens_; }
  std::optional<FinishReason> accept(int32_t token, std::string& text);
  void finish(Output output, FinishReason reason);
  void tell(Output output);
  void enter(const char* phase);

  RequestId id_;
  Request request_;  // without its prompt, which is the beginning of ids_
  OutputCallback callback_;
  uint64_t seed_;
  std::span<const int32_t> eos_ids_;
  std::vector<int32_t> stop_ids_;  // forbidden before min_new_tokens; empty when that is 0
  int32_t prompt_tokens_;
  std::vector<int32_t> ids_;  // prompt, what was drawn, drafts
  size_t drafts_ = 0;
  int32_t computed_ = 0;
  int32_t prefill_end_;
  int32_t cached_tokens_ = 0;
  int32_t retractions_ = 0;
  int32_t scored_;  // the next prompt token whose logprobs are wanted; prompt_tokens_: no more
  std::vector<sampling::Logprobs> prompt_logprobs_;
  std::optional<sampling::TokenCounts> counts_;  // with penalties
  PooledRows pooled_;                            // with pooling
  double deadline_ = std::numeric_limits<double>::infinity();
  PageTable table_;
  AnswerText text_;
  const char* phase_ = kQueuePhase;
  bool admitted_ = false;  // at least once
  bool finished_ = false;
};

}  // namespace tessera::engine
