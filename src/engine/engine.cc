// The thread around the scheduler. Other threads only touch the inbox and the last published numbers, under
// one mutex that nobody holds while a step runs or a callback is called.
#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/timeline.h"
#include "engine/admission.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

struct Submission {
  RequestId id;
  Request request;
  OutputCallback callback;
};

/// What other threads ask of the engine thread between two steps.
struct Inbox {
  std::vector<Submission> submissions;
  int64_t prompt_tokens = 0;  // of the submissions
  std::vector<RequestId> cancels;
  bool abort_all = false;
  bool flush = false;
  bool stop = false;  // abort all, and this was the last turn

  bool empty() const { return submissions.empty() && cancels.empty() && !abort_all && !flush; }
};

uint64_t system_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

class EngineThread final : public Engine {
 public:
  EngineThread(std::unique_ptr<Executor> executor, const text::Tokenizer& tokenizer, EngineOptions options)
      : executor_(std::move(executor)),
        info_(executor_->info()),
        max_queued_(options.max_queued_requests),
        max_queued_tokens_(options.max_queued_tokens),
        scheduler_(*executor_, tokenizer, options,
                   options.random_seed ? *options.random_seed : system_seed()),
        stats_(scheduler_.stats()),
        thread_([this] { run(); }) {}

  ~EngineThread() override {
    {
      const std::lock_guard lock(mutex_);
      draining_ = stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  Result<RequestId> submit(Request request, OutputCallback callback) override;
  void cancel(RequestId id) override;
  void drain(double deadline_s) override;
  Status flush_cache() override;
  EngineStats stats() const override;
  const ExecutorInfo& info() const override { return info_; }

 private:
  void run();
  Inbox take_inbox();
  void flush();
  void turn(Inbox inbox);
  void publish();
  Status check_queue(int64_t prompt_tokens) const;
  int32_t queued() const { return stats_.queued + static_cast<int32_t>(inbox_.submissions.size()); }
  int64_t queued_tokens() const { return stats_.queued_tokens + inbox_.prompt_tokens; }
  bool drained() const { return inbox_.submissions.empty() && live_ == 0; }

  const std::unique_ptr<Executor> executor_;
  const ExecutorInfo info_;
  const int32_t max_queued_;
  const int64_t max_queued_tokens_;
  Scheduler scheduler_;  // the engine thread's

  mutable std::mutex mutex_;
  std::condition_variable wake_;     // the engine thread waits: something to do, or stop_
  std::condition_variable drained_;  // drain() waits: drained(), and flush_cache(): !flushing_
  // Guarded by mutex_:
  Inbox inbox_;
  EngineStats stats_;  // as of the last turn; what is queued includes what the engine thread has taken since
  int32_t live_ = 0;   // requests that the engine thread has taken and not finished
  RequestId next_id_ = 1;
  bool draining_ = false, stop_ = false, flushing_ = false;

  std::thread thread_;  // last: it starts when all the rest is there
};

Status EngineThread::check_queue(int64_t prompt_tokens) const {
  if (queued() >= max_queued_) {
    return resource_exhausted("the queue is full: {} requests wait, at most {} may", queued(), max_queued_);
  }
  // A prompt above the whole bound gets its turn when nobody waits.
  if (queued() > 0 && queued_tokens() + prompt_tokens > max_queued_tokens_) {
    return resource_exhausted("the queue is full: prompts of {} tokens wait, {} more would exceed {}",
                              queued_tokens(), prompt_tokens, max_queued_tokens_);
  }
  return {};
}

Result<RequestId> EngineThread::submit(Request request, OutputCallback callback) {
  TRY_STATUS(check_request(request, info_));
  const auto prompt_tokens = static_cast<int64_t>(request.prompt_ids.size());
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return unavailable("the server is shutting down and takes no new requests");
    TRY_STATUS(check_queue(prompt_tokens));
    id = next_id_++;
    if (Timeline* timeline = Timeline::active()) {
      timeline->begin("request", id);
      timeline->begin(kQueuePhase, id);
    }
    inbox_.prompt_tokens += prompt_tokens;
    inbox_.submissions.push_back({id, std::move(request), std::move(callback)});
  }
  wake_.notify_one();
  return id;
}

void EngineThread::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.cancels.push_back(id);
  }
  wake_.notify_one();
}

void EngineThread::drain(double deadline_s) {
  // A day is forever here, and far from where the clock's arithmetic would overflow.
  const auto deadline = std::chrono::duration<double>(std::clamp(deadline_s, 0.0, 86400.0));
  std::unique_lock lock(mutex_);
  draining_ = true;
  if (drained_.wait_for(lock, deadline, [this] { return drained(); })) return;
  inbox_.abort_all = true;
  wake_.notify_one();
  drained_.wait(lock, [this] { return drained(); });
}

/// Returns when the engine thread has done it: at once, for it is idle and does that before all else.
Status EngineThread::flush_cache() {
  std::unique_lock lock(mutex_);
  if (!drained()) return unavailable("requests run or wait, the cache is flushed between them only");
  inbox_.flush = flushing_ = true;
  wake_.notify_one();
  drained_.wait(lock, [this] { return !flushing_; });
  return {};
}

EngineStats EngineThread::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats out = stats_;
  out.queued = queued();
  out.queued_tokens = queued_tokens();
  return out;
}

/// Sleeps until there is something to do.
Inbox EngineThread::take_inbox() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stop_ || !inbox_.empty() || !scheduler_.idle(); });
  const auto taken = static_cast<int32_t>(inbox_.submissions.size());
  stats_.queued += taken;
  stats_.queued_tokens += inbox_.prompt_tokens;
  live_ += taken;
  inbox_.stop = stop_;
  return std::exchange(inbox_, {});
}

void EngineThread::flush() {
  scheduler_.flush_cache();
  const std::lock_guard lock(mutex_);
  stats_.kept_tokens = 0;
  flushing_ = inbox_.flush;  // asked for again meanwhile
  drained_.notify_all();
}

void EngineThread::turn(Inbox inbox) {
  for (Submission& submission : inbox.submissions) {
    scheduler_.add(submission.id, std::move(submission.request), std::move(submission.callback));
  }
  for (const RequestId id : inbox.cancels)
    scheduler_.abort(id, cancelled("request {} was cancelled", id));
  if (inbox.abort_all || inbox.stop) {
    scheduler_.abort_all(unavailable("the server shut down before the request was finished"));
  }
  scheduler_.step();
}

void EngineThread::publish() {
  const std::lock_guard lock(mutex_);
  stats_ = scheduler_.stats();
  live_ = scheduler_.size();
  flushing_ = inbox_.flush;
  drained_.notify_all();
}

void EngineThread::run() {
  for (bool stop = false; !stop;) {
    Inbox inbox = take_inbox();
    stop = inbox.stop;
    // Nothing of ours throws, the standard library may (memory): then all requests fail, and the server goes
    // on.
    try {
      if (inbox.flush) flush();
      turn(std::move(inbox));
    } catch (const std::exception& thrown) {
      LOG_ERROR("a turn of the engine threw: {}", thrown.what());
      scheduler_.abort_all(internal_error("the engine failed: {}", thrown.what()));
    }
    publish();
  }
}

Status check_options(const EngineOptions& options) {
  const std::pair<const char*, int32_t> positive[] = {{"max_running_requests", options.max_running_requests},
                                                      {"max_queued_requests", options.max_queued_requests},
                                                      {"chunked_prefill_size", options.chunked_prefill_size}};
  for (const auto& [name, value] : positive) {
    if (value < 1) return invalid_argument("{}={} is out of range, expected >= 1", name, value);
  }
  if (options.max_queued_tokens < 1) {
    return invalid_argument("max_queued_tokens={} is out of range, expected >= 1", options.max_queued_tokens);
  }
  // Written so that a NaN fails them.
  if (!(options.queue_timeout_s >= 0)) {
    return invalid_argument("queue_timeout_s={} is out of range, expected 0 (no limit) or more",
                            options.queue_timeout_s);
  }
  if (!(options.max_step_stretch == 0 || options.max_step_stretch >= 1.2)) {
    return invalid_argument("max_step_stretch={} is out of range, expected 0 (no limit) or >= 1.2",
                            options.max_step_stretch);
  }
  if (!(options.schedule_conservativeness >= 0)) {
    return invalid_argument("schedule_conservativeness={} is out of range, expected >= 0",
                            options.schedule_conservativeness);
  }
  const NgramOptions& ngram = options.ngram;
  if (ngram.draft_tokens < 0 || ngram.min_match < 1 || ngram.max_match < ngram.min_match) {
    return invalid_argument(
        "{} draft tokens after matches of {} to {}, expected >= 0, and 1 <= least <= most",
        ngram.draft_tokens, ngram.min_match, ngram.max_match);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(std::unique_ptr<Executor> executor,
                                              const text::Tokenizer& tokenizer, EngineOptions options) {
  TRY_STATUS(check_options(options));
  std::unique_ptr<Engine> engine =
      std::make_unique<EngineThread>(std::move(executor), tokenizer, std::move(options));
  return engine;
}

}  // namespace tessera::engine
