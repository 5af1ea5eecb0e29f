// Scheduler: which tokens of which requests make up the next step, and what becomes of the result. Pure: no
// thread of its own, no lock, no clock that decides anything; step() is one turn of the engine and tests
// drive it by hand. README.md says what holds before and after every call. Not thread-safe: the engine thread
// owns it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "engine/engine.h"
#include "engine/page_pool.h"
#include "engine/rate_meter.h"
#include "engine/sequence.h"
#include "sampling/batch_sampler.h"

namespace tessera::engine {

class Scheduler {
 public:
  /// `executor` and `tokenizer` outlive it; `random_seed` seeds requests that bring none.
  Scheduler(Executor& executor, const text::Tokenizer& tokenizer, const EngineOptions& options,
            uint64_t random_seed);

  /// Queues a request that passed check_request(). Ids ascend.
  void add(RequestId id, Request request, OutputCallback callback);

  /// Ends a request with kAbort and `why`, wherever it stands; nothing if it is unknown or has finished.
  void abort(RequestId id, const Error& why);
  void abort_all(const Error& why);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  /// Requests that have not had their last output.
  int32_t size() const { return static_cast<int32_t>(waiting_.size() + running_.size()); }

  /// One turn, if not idle: admits, runs the executor once, draws, tells the clients.
  void step();

  EngineStats stats() const;

  /// CHECKs the invariants of README.md. Runs after every call in builds with DCHECK; O(pages + tokens of the
  /// pool).
  void check_invariants() const;

 private:
  using SequencePtr = std::unique_ptr<Sequence>;

  void plan();
  void plan_prefill(Sequence& sequence, int32_t& budget);
  bool admit_first_waiting();
  Status execute();
  void settle();
  void take(Sequence& sequence, const Result<int32_t>& token);
  void sweep();

  Executor& executor_;
  const text::Tokenizer& tokenizer_;
  const EngineOptions options_;
  const ExecutorInfo info_;
  const uint64_t random_seed_;
  PagePool pool_;
  std::deque<SequencePtr> waiting_;   // in order of arrival; hold no pages
  std::vector<SequencePtr> running_;  // in order of admission; hold all the pages they will ever need
  sampling::BatchSampler sampler_;
  AlignedBuffer logits_;

  // The step being made: batch_[i] computes chunks_[i].
  std::vector<Sequence*> batch_;
  std::vector<SequenceChunk> chunks_;
  std::vector<sampling::Draw> draws_;  // of the chunks that want logits
  RateMeter decode_rate_, prefill_rate_;
  int64_t steps_ = 0;
  double step_seconds_ = 0;
};

}  // namespace tessera::engine
