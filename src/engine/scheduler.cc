#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/log.h"
#include "base/timeline.h"
#include "engine/admission.h"
#include "sampling/random.h"

namespace tessera::engine {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Scheduler::Scheduler(Executor& executor, const text::Tokenizer& tokenizer, const EngineOptions& options,
                     uint64_t random_seed, Clock clock)
    : executor_(executor),
      tokenizer_(tokenizer),
      options_(options),
      info_(executor.info()),
      random_seed_(random_seed),
      clock_(std::move(clock)),
      ledger_(info_.page_count, info_.page_size, options.share_prefixes),
      waiting_(options.schedule_policy, random_seed),
      budget_(options.chunked_prefill_size, options.max_step_stretch) {}

void Scheduler::add(RequestId id, Request request, OutputCallback callback) {
  const uint64_t seed = request.sampling.seed.value_or(sampling::random_bits(random_seed_, id));
  auto sequence = std::make_unique<Sequence>(id, std::move(request), std::move(callback), seed, tokenizer_,
                                             options_.eos_token_ids);
  if (options_.queue_timeout_s > 0) sequence->set_deadline(clock_() + options_.queue_timeout_s);
  waiting_.add(std::move(sequence));
}

void Scheduler::abort(RequestId id, const Error& why) {
  if (const SequencePtr waiting = waiting_.remove(id)) {
    waiting->abort(why);
  } else if (const auto found =
                 std::ranges::find(running_, id, [](const SequencePtr& sequence) { return sequence->id(); });
             found != running_.end()) {
    (*found)->abort(why);
    sweep();
  }
}

void Scheduler::abort_all(const Error& why) {
  for (auto& sequence : running_) {
    if (!sequence->finished()) sequence->abort(why);
  }
  sweep();
  for (const auto& sequence : waiting_.sequences())
    sequence->abort(why);
  waiting_.clear();
}

void Scheduler::expire() {
  if (options_.queue_timeout_s <= 0 || waiting_.empty()) return;
  const double now = clock_();
  std::vector<RequestId> late;
  for (const auto& sequence : waiting_.sequences()) {
    if (sequence->expired(now)) late.push_back(sequence->id());
  }
  for (const RequestId id : late) {
    ++totals_.queue_timeouts;
    waiting_.remove(id)->abort(unavailable(
        "the request waited for more than {} s, as long as it may, try again", options_.queue_timeout_s));
  }
}

void Scheduler::step() {
  expire();
  if (idle()) return;
  {
    const Span span("plan");
    plan();
  }
  CHECK(!batch_.empty(), "{} requests run and {} wait, but none of them can go on", running_.size(),
        waiting_.size());
  const Span span(prompt_rows_ == 0   ? "decode step"
                  : decode_rows_ == 0 ? "prefill step"
                                      : "mixed step",
                  {"decode_rows", decode_rows_}, {"prompt_rows", prompt_rows_});
  if (const Result<double> seconds = execute(); seconds) {
    settle(*seconds);
  } else {
    LOG_ERROR("step of {} requests failed: {}", batch_.size(), seconds.error().message());
    for (Sequence* sequence : batch_)
      sequence->abort(seconds.error());
  }
  sweep();
#ifdef TESSERA_DCHECK
  check_invariants();
#endif
}

/// How long it took, in seconds.
Result<double> Scheduler::execute() {
  size_t logits = 0, hidden = 0;
  for (const SequenceChunk& chunk : chunks_) {
    logits += chunk.rows() * static_cast<size_t>(info_.vocab_size);
    hidden += chunk.hidden_rows() * static_cast<size_t>(info_.hidden_size);
  }
  logits_.reserve(logits * sizeof(float));
  hidden_.reserve(hidden * sizeof(float));
  const Span span("forward", {"requests", static_cast<int64_t>(batch_.size())});
  const double start = clock_();
  TRY_STATUS(executor_.step(chunks_, std::span(logits_.as<float>(), logits),
                            std::span(hidden_.as<float>(), hidden)));
  const double seconds = clock_() - start;
  ++totals_.steps;
  totals_.step_seconds += seconds;
  budget_.record(decode_rows_, prompt_rows_, seconds);
  return seconds;
}

/// Draws for all rows at once, on the executor's workers: 64 rows of 152,000 logits one after the other would
/// take 5 ms.
void Scheduler::settle(double seconds) {
  const Span span("sample");
  const auto vocab = static_cast<size_t>(info_.vocab_size);
  const float* row = logits_.as<float>();
  const float* states = hidden_.as<float>();
  draws_.clear();
  for (size_t at = 0; at < batch_.size(); ++at) {
    Sequence& sequence = *batch_[at];
    const SequenceChunk& chunk = chunks_[at];
    const bool pooled = pool(sequence, chunk, states);
    states += chunk.hidden_rows() * static_cast<size_t>(info_.hidden_size);
    if (!pooled) continue;
    const bool filled = sequence.prefilling();
    sequence.advance(chunk);
    // At once, not at its end: whoever waits for the same prompt may begin.
    if (filled && !sequence.prefilling())
      ledger_.share(sequence.table(), sequence.ids().first(static_cast<size_t>(sequence.computed())));
    if (chunk.rows() == 0) continue;
    draws_.push_back(sequence.draw(chunk, std::span(row, chunk.rows() * vocab)));
    row += chunk.rows() * vocab;
  }
  const auto drawn = sampler_.sample(draws_, executor_.workers());
  const int64_t before = totals_.generated_tokens;
  size_t next = 0;
  for (size_t at = 0; at < batch_.size(); ++at) {
    if (chunks_[at].rows() > 0) take(*batch_[at], drawn[next++]);
  }
  if (decode_rows_ > 0) decode_rate_.add(static_cast<double>(totals_.generated_tokens - before), seconds);
  if (prompt_rows_ > 0) prefill_rate_.add(prompt_rows_, seconds);
}

/// False when its hidden states ended it: they cannot be another's.
bool Scheduler::pool(Sequence& sequence, const SequenceChunk& chunk, const float* states) const {
  if (chunk.hidden_rows() == 0) return true;
  const auto width = static_cast<size_t>(info_.hidden_size);
  const Status pooled = sequence.pool({states, chunk.hidden_rows() * width}, width);
  if (pooled) return true;
  LOG_ERROR("request {} failed: {}", sequence.id(), pooled.error().message());
  sequence.abort(pooled.error());
  return false;
}

/// A row that cannot be drawn from ends its own request and no other.
void Scheduler::take(Sequence& sequence, const Result<sampling::Drawn>& drawn) {
  if (!drawn) {
    LOG_ERROR("request {} failed at token {}: {}", sequence.id(), sequence.completion_tokens(),
              drawn.error().message());
    return sequence.abort(drawn.error());
  }
  const int32_t before = sequence.completion_tokens();
  const bool guessed = sequence.drafts() > 0;
  sequence.take(*drawn);
  const int32_t tokens = sequence.completion_tokens() - before;
  totals_.generated_tokens += tokens;
  if (guessed) {
    ++totals_.draft_steps;
    totals_.draft_step_tokens += tokens;
  }
}

/// Its pages are free, or the tree's and nobody's.
void Scheduler::end(Sequence& sequence) {
  ledger_.share(sequence.table(), sequence.ids().first(static_cast<size_t>(sequence.computed())));
  ledger_.close(sequence.table());
}

/// Finished sequences leave and give back their pages.
void Scheduler::sweep() {
  batch_.clear();
  chunks_.clear();
  for (const auto& sequence : running_) {
    if (sequence->finished()) end(*sequence);
  }
  std::erase_if(running_, [](const SequencePtr& sequence) { return sequence->finished(); });
}

EngineStats Scheduler::stats() const {
  const int64_t page_size = info_.page_size;
  EngineStats stats = totals_;
  stats.running = static_cast<int32_t>(running_.size());
  stats.queued = waiting_.size();
  for (const auto& sequence : waiting_.sequences())
    stats.queued_tokens += sequence->token_count();
  stats.used_tokens = page_size * (ledger_.page_count() - ledger_.available());
  stats.kept_tokens = page_size * ledger_.kept();
  stats.total_tokens = page_size * ledger_.page_count();
  stats.last_decode_tokens_per_s = decode_rate_.per_second();
  stats.last_prefill_tokens_per_s = prefill_rate_.per_second();
  return stats;
}

void Scheduler::check_invariants() const {
  CHECK(static_cast<int32_t>(running_.size()) <= options_.max_running_requests, "{} run", running_.size());
  const bool reserved = options_.schedule_conservativeness >= 1;
  const bool in_order = options_.schedule_policy == SchedulePolicy::kFcfs;
  std::vector<const PageTable*> tables;
  RequestId last = 0;
  for (const auto& sequence : running_) {
    tables.push_back(&sequence->table());
    const int32_t pages = sequence->table().size();
    CHECK(!sequence->finished(), "request {} is finished and still runs", sequence->id());
    CHECK(pages >= pages_for(sequence->prefilling() ? sequence->token_count() : sequence->computed(),
                             info_.page_size) &&
              pages <= pages_for(sequence->most_tokens(), info_.page_size),
          "request {} holds {} pages", sequence->id(), pages);
    CHECK(sequence->computed() < sequence->token_count() &&
              sequence->token_count() < sequence->most_tokens() + 1 && sequence->drafts() == 0,
          "request {}: computed {} of {}, at most {}", sequence->id(), sequence->computed(),
          sequence->token_count(), sequence->most_tokens());
    CHECK(sequence->prefilling() || sequence->computed() + 1 == sequence->token_count(), "request {}",
          sequence->id());
    CHECK(!in_order || sequence->id() > last, "request {} was admitted after {}", sequence->id(), last);
    last = sequence->id();
  }
  CHECK(!reserved || unclaimed_pages() <= ledger_.available(), "{} pages are promised, {} available",
        unclaimed_pages(), ledger_.available());
  if (!in_order) last = 0;
  for (const auto& sequence : waiting_.sequences()) {
    CHECK(sequence->table().pages.empty() && !sequence->table().lease && sequence->computed() == 0,
          "request {} waits with pages", sequence->id());
    CHECK(sequence->id() > last, "request {} waits behind {}", sequence->id(), last);
    last = sequence->id();
  }
  ledger_.check(tables);
}

}  // namespace tessera::engine
