// Sequence: one request from the queue to its last output: its tokens, how many of them are in the cache, the
// pages it holds, and what it tells its client. It knows nothing of other sequences. Engine thread only.
//
// The one number that says where it stands is `computed`: tokens 0 .. computed-1 are in the cache. A prompt
// chunk and a decode row are the same thing, a run of tokens from `computed` on; a decode row is a run of
// one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/answer_text.h"
#include "engine/executor.h"
#include "engine/request.h"

namespace tessera::engine {

class Sequence {
 public:
  /// `request` passed check_request(); `seed` decides its draws together with the position in the answer.
  Sequence(RequestId id, Request request, OutputCallback callback, uint64_t seed,
           const text::Tokenizer& tokenizer);

  RequestId id() const { return id_; }
  int64_t reserved_tokens() const { return int64_t{prompt_tokens_} + request_.max_new_tokens; }
  int32_t token_count() const { return static_cast<int32_t>(ids_.size()); }
  int32_t computed() const { return computed_; }
  /// The prompt is not yet in the cache.
  bool prefilling() const { return computed_ < prompt_tokens_; }
  bool finished() const { return finished_; }
  const sampling::SamplingParams& sampling() const { return request_.sampling; }
  uint64_t seed() const { return seed_; }
  int32_t completion_tokens() const { return token_count() - prompt_tokens_; }

  std::span<const int32_t> pages() const { return pages_; }
  void set_pages(std::vector<int32_t> pages) { pages_ = std::move(pages); }

  /// The next at most `limit` >= 1 tokens to compute. The spans live until accept() or the end of the
  /// sequence.
  SequenceChunk next_chunk(int32_t limit) const;

  /// `tokens` more are in the cache. A request for no tokens is finished when its prompt is.
  void advance(int32_t tokens);

  /// Appends a drawn token, tells the client, and finishes if that was the last. `eos_ids`: the model's.
  void accept(int32_t token, std::span<const int32_t> eos_ids);

  /// Ends it with kAbort.
  void abort(const Error& why);

 private:
  bool is_stop_token(int32_t token, std::span<const int32_t> eos_ids) const;
  void finish(Output output, FinishReason reason);
  void tell(Output output);

  RequestId id_;
  Request request_;  // without its prompt, which is the beginning of ids_
  OutputCallback callback_;
  uint64_t seed_;
  int32_t prompt_tokens_;
  std::vector<int32_t> ids_;  // prompt, then what was drawn
  int32_t computed_ = 0;
  std::vector<int32_t> pages_;
  AnswerText text_;
  bool finished_ = false;
};

}  // namespace tessera::engine
