// WaitingQueue: the sequences that wait, in order of arrival, and who of them is next. Engine thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/page_ledger.h"
#include "engine/schedule_policy.h"
#include "engine/sequence.h"

namespace tessera::engine {

class WaitingQueue {
 public:
  using SequencePtr = std::unique_ptr<Sequence>;

  // Policies other than fcfs let younger ones overtake; whoever has been overtaken this often is next.
  static constexpr int32_t kMaxOvertaken = 64;
  // SGLang's: behind so many, looking up every prompt in every step costs more than it finds.
  static constexpr size_t kMaxSorted = 128;

  WaitingQueue(SchedulePolicy policy, uint64_t seed) : policy_(policy), seed_(seed) {}

  bool empty() const { return sequences_.empty(); }
  int32_t size() const { return static_cast<int32_t>(sequences_.size()); }
  const std::deque<SequencePtr>& sequences() const { return sequences_; }  // ids ascend

  /// A new one, or one that ran and was retracted: it takes its place by id.
  void add(SequencePtr sequence);

  /// In the order in which to admit, as the cache stands. Valid until the next change.
  std::vector<Sequence*> order(const PageLedger& ledger) const;

  /// Takes out one that is admitted, or null if there is none of that id.
  SequencePtr admit(RequestId id);
  /// Takes out one that is to end.
  SequencePtr remove(RequestId id);
  void clear() { sequences_.clear(); }

 private:
  void sort(std::vector<Sequence*>& order, const PageLedger& ledger) const;

  SchedulePolicy policy_;
  uint64_t seed_;
  std::deque<SequencePtr> sequences_;
  int32_t overtaken_ = 0;  // how often the oldest was
};

}  // namespace tessera::engine
