#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/log.h"
#include "engine/admission.h"
#include "sampling/random.h"

namespace tessera::engine {

Scheduler::Scheduler(Executor& executor, const text::Tokenizer& tokenizer, const EngineOptions& options,
                     uint64_t random_seed)
    : executor_(executor),
      tokenizer_(tokenizer),
      options_(options),
      info_(executor.info()),
      random_seed_(random_seed),
      pool_(info_.page_count) {}

void Scheduler::add(RequestId id, Request request, OutputCallback callback) {
  const uint64_t seed = request.sampling.seed.value_or(sampling::random_bits(random_seed_, id));
  waiting_.push_back(
      std::make_unique<Sequence>(id, std::move(request), std::move(callback), seed, tokenizer_));
}

void Scheduler::abort(RequestId id, const Error& why) {
  const auto has_id = [id](const SequencePtr& sequence) { return sequence->id() == id; };
  if (const auto at = std::find_if(waiting_.begin(), waiting_.end(), has_id); at != waiting_.end()) {
    (*at)->abort(why);
    waiting_.erase(at);
  } else if (const auto found = std::find_if(running_.begin(), running_.end(), has_id);
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
  for (auto& sequence : waiting_)
    sequence->abort(why);
  waiting_.clear();
}

void Scheduler::step() {
  if (idle()) return;
  plan();
  CHECK(!batch_.empty(), "{} requests run and {} wait, but none of them can go on", running_.size(),
        waiting_.size());
  if (const Status done = execute(); done) {
    settle();
  } else {
    LOG_ERROR("step of {} requests failed: {}", batch_.size(), done.error().message());
    for (Sequence* sequence : batch_)
      sequence->abort(done.error());
  }
  sweep();
#ifdef TESSERA_DCHECK
  check_invariants();
#endif
}

/// Every running decode gets its row; then prompts, oldest first, share the budget, and new ones are admitted
/// for as long as there is budget to begin with them.
void Scheduler::plan() {
  batch_.clear();
  chunks_.clear();
  int32_t budget = options_.chunked_prefill_size;
  for (const auto& sequence : running_) {
    if (sequence->prefilling()) {
      if (budget > 0) plan_prefill(*sequence, budget);
    } else {
      batch_.push_back(sequence.get());
      chunks_.push_back(sequence->next_chunk(1));
    }
  }
  while (budget > 0 && admit_first_waiting())
    plan_prefill(*running_.back(), budget);
}

void Scheduler::plan_prefill(Sequence& sequence, int32_t& budget) {
  batch_.push_back(&sequence);
  chunks_.push_back(sequence.next_chunk(budget));
  budget -= static_cast<int32_t>(chunks_.back().ids.size());
}

/// First come, first served: when the oldest does not fit, younger and smaller ones wait behind it, so it
/// cannot starve.
bool Scheduler::admit_first_waiting() {
  if (waiting_.empty() || static_cast<int32_t>(running_.size()) == options_.max_running_requests)
    return false;
  Sequence& first = *waiting_.front();
  const int32_t pages = pages_for(first.reserved_tokens(), info_.page_size);
  if (pages > pool_.free_count()) return false;
  first.set_pages(pool_.take(pages));
  running_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  return true;
}

Status Scheduler::execute() {
  size_t rows = 0;
  int32_t prefill_tokens = 0, decode_tokens = 0;
  for (size_t at = 0; at < batch_.size(); ++at) {
    rows += chunks_[at].wants_logits ? 1 : 0;
    const auto tokens = static_cast<int32_t>(chunks_[at].ids.size());
    (batch_[at]->prefilling() ? prefill_tokens : decode_tokens) += tokens;
  }
  const size_t logits = rows * static_cast<size_t>(info_.vocab_size);
  logits_.reserve(logits * sizeof(float));
  const auto start = std::chrono::steady_clock::now();
  TRY_STATUS(executor_.step(chunks_, std::span(logits_.as<float>(), logits)));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++steps_;
  step_seconds_ += seconds;
  if (decode_tokens > 0) decode_rate_.add(decode_tokens, seconds);
  if (prefill_tokens > 0) prefill_rate_.add(prefill_tokens, seconds);
  return {};
}

/// Draws for all rows at once, on the executor's workers: 64 rows of 152,000 logits one after the other would
/// take 5 ms.
void Scheduler::settle() {
  const auto vocab = static_cast<size_t>(info_.vocab_size);
  const float* row = logits_.as<float>();
  draws_.clear();
  for (size_t at = 0; at < batch_.size(); ++at) {
    Sequence& sequence = *batch_[at];
    sequence.advance(static_cast<int32_t>(chunks_[at].ids.size()));
    if (!chunks_[at].wants_logits) continue;
    draws_.push_back({.logits = std::span(row, vocab),
                      .params = &sequence.sampling(),
                      .seed = sequence.seed(),
                      .position = static_cast<uint64_t>(sequence.completion_tokens())});
    row += vocab;
  }
  const auto tokens = sampler_.sample(draws_, executor_.workers());
  size_t drawn = 0;
  for (size_t at = 0; at < batch_.size(); ++at) {
    if (chunks_[at].wants_logits) take(*batch_[at], tokens[drawn++]);
  }
}

/// A row that cannot be drawn from ends its own request and no other.
void Scheduler::take(Sequence& sequence, const Result<int32_t>& token) {
  if (token) {
    sequence.accept(*token, options_.eos_token_ids);
  } else {
    LOG_ERROR("request {} failed at token {}: {}", sequence.id(), sequence.completion_tokens(),
              token.error().message());
    sequence.abort(token.error());
  }
}

/// Finished sequences leave and give back their pages.
void Scheduler::sweep() {
  batch_.clear();
  chunks_.clear();
  for (const auto& sequence : running_) {
    if (sequence->finished()) pool_.give_back(sequence->pages());
  }
  std::erase_if(running_, [](const SequencePtr& sequence) { return sequence->finished(); });
}

EngineStats Scheduler::stats() const {
  const int64_t page_size = info_.page_size;
  int64_t queued_tokens = 0;
  for (const auto& sequence : waiting_)
    queued_tokens += sequence->token_count();
  return {.running = static_cast<int32_t>(running_.size()),
          .queued = static_cast<int32_t>(waiting_.size()),
          .queued_tokens = queued_tokens,
          .used_tokens = page_size * (pool_.page_count() - pool_.free_count()),
          .total_tokens = page_size * pool_.page_count(),
          .last_decode_tokens_per_s = decode_rate_.per_second(),
          .last_prefill_tokens_per_s = prefill_rate_.per_second(),
          .steps = steps_,
          .step_seconds = step_seconds_};
}

void Scheduler::check_invariants() const {
  std::vector<bool> seen(static_cast<size_t>(pool_.page_count()));
  int32_t counted = 0;
  const auto see = [&](std::span<const int32_t> pages) {
    for (const int32_t page : pages) {
      CHECK(page >= 0 && page < pool_.page_count() && !seen[static_cast<size_t>(page)],
            "page {} has two owners", page);
      seen[static_cast<size_t>(page)] = true;
      ++counted;
    }
  };
  see(pool_.free_pages());
  CHECK(static_cast<int32_t>(running_.size()) <= options_.max_running_requests, "{} run", running_.size());
  RequestId last = 0;
  for (const auto& sequence : running_) {
    see(sequence->pages());
    CHECK(!sequence->finished(), "request {} is finished and still runs", sequence->id());
    CHECK(static_cast<int32_t>(sequence->pages().size()) ==
              pages_for(sequence->reserved_tokens(), info_.page_size),
          "request {} holds {} pages", sequence->id(), sequence->pages().size());
    CHECK(sequence->computed() < sequence->token_count() &&
              sequence->token_count() < sequence->reserved_tokens() + 1,
          "request {}: computed {} of {}, reserved {}", sequence->id(), sequence->computed(),
          sequence->token_count(), sequence->reserved_tokens());
    CHECK(sequence->prefilling() || sequence->computed() + 1 == sequence->token_count(), "request {}",
          sequence->id());
    CHECK(sequence->id() > last, "request {} was admitted after {}", sequence->id(), last);
    last = sequence->id();
  }
  for (const auto& sequence : waiting_) {
    CHECK(sequence->pages().empty() && sequence->computed() == 0, "request {} waits with pages",
          sequence->id());
    CHECK(sequence->id() > last, "request {} waits behind {}", sequence->id(), last);
    last = sequence->id();
  }
  CHECK(counted == pool_.page_count(), "{} pages of {} have an owner", counted, pool_.page_count());
}

}  // namespace tessera::engine
