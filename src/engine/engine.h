// Engine: continuous batching over an Executor. One thread of its own runs steps; any thread may submit and
// cancel. README.md in this folder is the contract: concepts, ownership, invariants.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/executor.h"
#include "engine/ngram_draft.h"
#include "engine/request.h"
#include "engine/schedule_policy.h"
#include "text/tokenizer.h"

namespace tessera::engine {

#ifdef TESSERA_TINY
constexpr int32_t kDefaultChunkedPrefillSize = 3;
#else
constexpr int32_t kDefaultChunkedPrefillSize = 512;
#endif

struct EngineOptions {
  int32_t max_running_requests = 64;
  int32_t max_queued_requests = 1024;                         // more are refused: kResourceExhausted
  int64_t max_queued_tokens = int64_t{1} << 20;               // of waiting prompts; one request always fits
  int32_t chunked_prefill_size = kDefaultChunkedPrefillSize;  // prompt tokens per step, over all requests
  // A request that has waited longer for its first step ends with kUnavailable; 0: it waits as long as it
  // takes. Counted from the turn that takes it in.
  double queue_timeout_s = 0;
  // A step with prompt tokens lasts at most so many times as long as one without; longer while more prompts
  // wait than answers are under way (step_budget.h). 0: as long as it takes.
  double max_step_stretch = 2.0;
  SchedulePolicy schedule_policy = SchedulePolicy::kFcfs;
  // Share of the tokens an answer may still get that is reserved for it; below 1 it may be interrupted.
  double schedule_conservativeness = 1.0;
  bool share_prefixes = true;
  NgramOptions ngram = {};
  std::vector<int32_t> eos_token_ids = {};   // from generation_config.json / config.json
  std::optional<uint64_t> random_seed = {};  // of requests without a seed; absent: from the system
};

/// A snapshot for /get_server_info, /get_load and metrics.
struct EngineStats {
  int32_t running = 0;
  int32_t queued = 0;
  int64_t queued_tokens = 0;            // of the prompts that wait
  int64_t used_tokens = 0;              // of the KV cache, by running requests; prefixes kept are not used
  int64_t kept_tokens = 0;              // of the KV cache, prefixes that no running request uses
  int64_t total_tokens = 0;             // capacity
  double last_decode_tokens_per_s = 0;  // over about the last second of steps with such tokens
  double last_prefill_tokens_per_s = 0;
  // Since the start:
  int64_t steps = 0;          // that succeeded
  double step_seconds = 0;    // that they took
  int64_t prompt_tokens = 0;  // of requests that were admitted
  int64_t cached_tokens = 0;  // of those, found in the cache
  int64_t generated_tokens = 0;
  int64_t retractions = 0;
  int64_t queue_timeouts = 0;     // requests that waited too long for their first step
  int64_t draft_steps = 0;        // decode rows with drafts behind them ...
  int64_t draft_step_tokens = 0;  // ... and tokens that they gave: 1 and the drafts that were right

  double cache_hit_rate() const {
    return prompt_tokens > 0 ? static_cast<double>(cached_tokens) / static_cast<double>(prompt_tokens) : 0;
  }
  /// SGLang's avg_spec_accept_length; 0 when nothing was guessed.
  double accept_length() const {
    return draft_steps > 0 ? static_cast<double>(draft_step_tokens) / static_cast<double>(draft_steps) : 0;
  }
};

class Engine {
 public:
  /// Starts the engine thread. `tokenizer` outlives the engine. kInvalidArgument for an option out of range.
  static Result<std::unique_ptr<Engine>> start(std::unique_ptr<Executor> executor,
                                               const text::Tokenizer& tokenizer, EngineOptions options);
  /// Aborts what is left (kUnavailable) and ends the thread, after at most one step.
  virtual ~Engine() = default;

  /// Queues a request; its outputs go to `callback`. Errors at once: kInvalidArgument (empty or over-long
  /// prompt, bad parameters), kResourceExhausted (queue full, by requests or by prompt tokens), kUnavailable
  /// (draining).
  virtual Result<RequestId> submit(Request request, OutputCallback callback) = 0;

  /// The request's last Output (kAbort, code kCancelled) follows within one step, unless it finished before.
  virtual void cancel(RequestId id) = 0;

  /// Refuses new requests, and returns when all have finished or `deadline_s` has passed (the rest is aborted
  /// with kUnavailable, within one step more). All callbacks have returned by then.
  virtual void drain(double deadline_s) = 0;

  /// Forgets every prefix that is kept for reuse. kUnavailable, and nothing done, while requests run or wait.
  virtual Status flush_cache() = 0;

  virtual EngineStats stats() const = 0;
  virtual const ExecutorInfo& info() const = 0;
};

}  // namespace tessera::engine
