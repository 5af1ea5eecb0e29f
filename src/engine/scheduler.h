// Scheduler: which tokens of which requests make up the next step, and what becomes of the result. Pure: no
// thread of its own, no lock, and one clock, whose only say is how many prompt tokens a step takes and who
// has waited too long; step() is one turn of the engine and tests drive it by hand. README.md says what holds
// before and after every call. Not thread-safe: the engine thread owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "engine/engine.h"
#include "engine/page_ledger.h"
#include "engine/rate_meter.h"
#include "engine/sequence.h"
#include "engine/step_budget.h"
#include "engine/waiting_queue.h"
#include "sampling/batch_sampler.h"

namespace tessera::engine {

/// Seconds since whenever.
using Clock = std::function<double()>;
double steady_seconds();

class Scheduler {
 public:
  /// `executor` and `tokenizer` outlive it; `random_seed` seeds requests that bring none.
  Scheduler(Executor& executor, const text::Tokenizer& tokenizer, const EngineOptions& options,
            uint64_t random_seed, Clock clock = steady_seconds);

  /// Queues a request that passed check_request(). Ids ascend.
  void add(RequestId id, Request request, OutputCallback callback);

  /// Ends a request with kAbort and `why`, wherever it stands; nothing if it is unknown or has finished.
  void abort(RequestId id, const Error& why);
  void abort_all(const Error& why);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  /// Requests that have not had their last output.
  int32_t size() const { return waiting_.size() + static_cast<int32_t>(running_.size()); }

  /// One turn, if not idle: admits, runs the executor once, draws, tells the clients. Whoever has waited too
  /// long for a first step gets none.
  void step();

  /// Forgets the prefixes that no request holds.
  void flush_cache() { ledger_.flush(); }

  EngineStats stats() const;

  /// CHECKs the invariants of README.md. Runs after every call in builds with DCHECK; O(pages + tokens of the
  /// pool).
  void check_invariants() const;

 private:
  using SequencePtr = std::unique_ptr<Sequence>;

  // Which tokens: scheduler_plan.cc
  void plan();
  void plan_decodes();
  int32_t waiting_prompts() const;
  void plan_prefills();
  void add_to_batch(Sequence& sequence, int32_t limit);
  bool make_room(Sequence& sequence);
  void guess(Sequence& sequence, int32_t& rows_left);
  bool admit(Sequence& sequence);
  bool waits_for_prefix(const Sequence& sequence) const;
  int64_t unclaimed_pages() const;
  int32_t promised_pages(const Sequence& sequence) const;
  void retract_youngest();
  bool full() const { return static_cast<int32_t>(running_.size()) >= options_.max_running_requests; }

  // What becomes of them: scheduler.cc
  void expire();
  Result<double> execute();
  void settle(double seconds);
  bool pool(Sequence& sequence, const SequenceChunk& chunk, const float* states) const;
  void take(Sequence& sequence, const Result<sampling::Drawn>& drawn);
  void sweep();
  void end(Sequence& sequence);

  Executor& executor_;
  const text::Tokenizer& tokenizer_;
  const EngineOptions options_;
  const ExecutorInfo info_;
  const uint64_t random_seed_;
  const Clock clock_;
  PageLedger ledger_;
  WaitingQueue waiting_;              // hold no pages
  std::vector<SequencePtr> running_;  // in order of admission
  StepBudget budget_;
  sampling::BatchSampler sampler_;
  AlignedBuffer logits_, hidden_;

  // The step being made: batch_[i] computes chunks_[i].
  std::vector<Sequence*> batch_;
  std::vector<SequenceChunk> chunks_;
  int32_t decode_rows_ = 0, prompt_rows_ = 0;  // in chunks_
  std::vector<sampling::Draw> draws_;          // of the chunks that want logits
  RateMeter decode_rate_, prefill_rate_;
  EngineStats totals_;  // the counts since the start alone
};

}  // namespace tessera::engine
