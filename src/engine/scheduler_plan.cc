// Which tokens make up a step: decodes first, then prompts, then whoever is admitted.
#include <algorithm>

#include "base/check.h"
#include "engine/admission.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

// Rows of drafts in one step: so many ride along with the weights that a decode reads anyway, more would cost
// the others time for guesses.
constexpr int32_t kMaxDraftRows = 32;

}  // namespace

void Scheduler::plan() {
  batch_.clear();
  chunks_.clear();
  decode_rows_ = prompt_rows_ = 0;
  plan_decodes();
  plan_prefills();
}

void Scheduler::add_to_batch(Sequence& sequence, int32_t limit) {
  batch_.push_back(&sequence);
  chunks_.push_back(sequence.next_chunk(limit));
  (sequence.prefilling() ? prompt_rows_ : decode_rows_) += static_cast<int32_t>(chunks_.back().ids.size());
}

/// Every decode gets its row. The oldest are served first, so whoever must give way has not been yet.
void Scheduler::plan_decodes() {
  int32_t draft_rows = kMaxDraftRows;
  for (size_t at = 0; at < running_.size(); ++at) {
    Sequence& sequence = *running_[at];
    if (sequence.prefilling() || !make_room(sequence)) continue;
    guess(sequence, draft_rows);
    add_to_batch(sequence, 1);
  }
}

/// A page for the next token, if need be from the youngest; false when that is `sequence` itself. With
/// schedule_conservativeness 1 there always is one.
bool Scheduler::make_room(Sequence& sequence) {
  while (!ledger_.cover(sequence.table(), pages_for(sequence.token_count(), info_.page_size))) {
    const bool itself = running_.back().get() == &sequence;
    retract_youngest();
    if (itself) return false;
  }
  return true;
}

/// What it has computed stays in the cache until somebody needs the place. It is waiting again when this
/// returns.
void Scheduler::retract_youngest() {
  CHECK(running_.size() > 1, "request {} alone needs more cache than there is", running_.back()->id());
  Sequence& youngest = *running_.back();
  end(youngest);
  youngest.retract();
  ++totals_.retractions;
  waiting_.add(std::move(running_.back()));
  running_.pop_back();
}

/// Drafts only where pages are to be had without taking them from anybody.
void Scheduler::guess(Sequence& sequence, int32_t& rows_left) {
  const auto may_come = static_cast<int32_t>(sequence.most_tokens() - sequence.token_count() - 1);
  const auto drafts = ngram_draft(sequence.ids(), options_.ngram, std::min(rows_left, may_come));
  const auto count = static_cast<int32_t>(drafts.size());
  if (count == 0 ||
      !ledger_.cover(sequence.table(), pages_for(sequence.token_count() + count, info_.page_size)))
    return;
  sequence.set_drafts(drafts);
  rows_left -= count;
}

/// Requests that have no token yet and may run.
int32_t Scheduler::waiting_prompts() const {
  const auto begun =
      std::ranges::count_if(running_, [](const SequencePtr& sequence) { return sequence->prefilling(); });
  const auto room = options_.max_running_requests - static_cast<int32_t>(running_.size());
  return static_cast<int32_t>(begun) + std::min(room, waiting_.size());
}

/// Prompts, oldest first, share the budget; new ones are admitted for as long as there is budget to begin
/// with them.
void Scheduler::plan_prefills() {
  const int32_t budget = budget_.tokens(decode_rows_, waiting_prompts());
  for (const auto& sequence : running_) {
    if (prompt_rows_ >= budget) return;
    if (sequence->prefilling()) add_to_batch(*sequence, budget - prompt_rows_);
  }
  if (prompt_rows_ >= budget || waiting_.empty() || full()) return;
  for (Sequence* sequence : waiting_.order(ledger_)) {
    if (prompt_rows_ >= budget || !admit(*sequence)) return;
    add_to_batch(*sequence, budget - prompt_rows_);
  }
}

int32_t Scheduler::promised_pages(const Sequence& sequence) const {
  return pages_for(sequence.promised_tokens(std::min(1.0, options_.schedule_conservativeness)),
                   info_.page_size);
}

/// Pages that running sequences have been promised and do not hold yet.
int64_t Scheduler::unclaimed_pages() const {
  int64_t pages = 0;
  for (const auto& sequence : running_)
    pages += std::max(0, promised_pages(*sequence) - sequence->table().size());
  return pages;
}

/// Somebody is computing more of its prompt than the cache has: it is worth waiting for.
bool Scheduler::waits_for_prefix(const Sequence& sequence) const {
  if (!options_.share_prefixes) return false;
  const auto ids = sequence.reusable_ids();
  const int32_t cached = ledger_.match(ids);
  return std::ranges::any_of(running_, [&](const SequencePtr& other) {
    if (!other->prefilling()) return false;
    const auto theirs = other->ids();
    const auto same = std::ranges::mismatch(ids, theirs).in1 - ids.begin();
    return same / info_.page_size > cached;
  });
}

/// Whoever is next and does not fit keeps all behind from overtaking, so nobody starves.
bool Scheduler::admit(Sequence& sequence) {
  if (full() || waits_for_prefix(sequence)) return false;
  PageTable& table = sequence.table();
  ledger_.open(table, sequence.reusable_ids());
  const int64_t needed = promised_pages(sequence) - table.size();
  if (needed + unclaimed_pages() > ledger_.available()) {
    ledger_.close(table);
    return false;
  }
  const int32_t cached = table.size() * info_.page_size;
  const bool covered = ledger_.cover(table, pages_for(sequence.token_count(), info_.page_size));
  CHECK(covered, "request {} was promised {} pages", sequence.id(), needed);
  sequence.admit(cached);
  if (sequence.retractions() == 0) {
    totals_.prompt_tokens += sequence.prompt_tokens();
    totals_.cached_tokens += cached;
  }
  running_.push_back(waiting_.admit(sequence.id()));
  return true;
}

}  // namespace tessera::engine
