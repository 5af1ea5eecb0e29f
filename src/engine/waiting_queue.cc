#include "engine/waiting_queue.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "sampling/random.h"

namespace tessera::engine {
namespace {

using Node = cache::PrefixTree::Node;

/// Stable: equal keys keep the order of arrival.
template <class Key>
void sort_descending(std::vector<Sequence*>& order, const Key& key) {
  std::vector<std::pair<uint64_t, Sequence*>> keyed;
  for (Sequence* sequence : order)
    keyed.emplace_back(key(*sequence), sequence);
  std::ranges::stable_sort(keyed, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::ranges::transform(keyed, order.begin(), [](const auto& entry) { return entry.second; });
}

/// Depth first over the tree: at every node the branch where most wait comes first, and who goes deeper comes
/// before who ends there. Of branches where equally many wait, the one with the oldest.
void sort_depth_first(std::vector<Sequence*>& order, const PageLedger& ledger) {
  struct Branch {
    int32_t waiting = 0;
    size_t oldest = 0;
  };
  std::unordered_map<const Node*, Branch> branches;
  std::vector<std::pair<std::vector<const Node*>, Sequence*>> paths;
  for (Sequence* sequence : order) {
    auto path = ledger.path(sequence->reusable_ids());
    for (const Node* node : path)
      ++branches.try_emplace(node, Branch{0, paths.size()}).first->second.waiting;
    paths.emplace_back(std::move(path), sequence);
  }
  std::ranges::stable_sort(paths, [&](const auto& a, const auto& b) {
    const auto [x, y] = std::ranges::mismatch(a.first, b.first);
    if (x == a.first.end() || y == b.first.end()) return x != a.first.end();
    const Branch &one = branches[*x], &other = branches[*y];
    return one.waiting != other.waiting ? one.waiting > other.waiting : one.oldest < other.oldest;
  });
  std::ranges::transform(paths, order.begin(), [](const auto& entry) { return entry.second; });
}

}  // namespace

void WaitingQueue::add(SequencePtr sequence) {
  const auto after = std::ranges::find_if(
      sequences_, [&](const SequencePtr& other) { return other->id() > sequence->id(); });
  if (after == sequences_.begin()) overtaken_ = 0;
  sequences_.insert(after, std::move(sequence));
}

void WaitingQueue::sort(std::vector<Sequence*>& order, const PageLedger& ledger) const {
  switch (policy_) {
    case SchedulePolicy::kFcfs:
      return;
    case SchedulePolicy::kLpm:
      return sort_descending(order, [&](const Sequence& sequence) {
        return static_cast<uint64_t>(ledger.match(sequence.reusable_ids()));
      });
    case SchedulePolicy::kRandom:
      return sort_descending(
          order, [&](const Sequence& sequence) { return sampling::random_bits(seed_, sequence.id()); });
    case SchedulePolicy::kDfsWeight:
      return sort_depth_first(order, ledger);
  }
}

std::vector<Sequence*> WaitingQueue::order(const PageLedger& ledger) const {
  std::vector<Sequence*> order;
  for (const SequencePtr& sequence : sequences_)
    order.push_back(sequence.get());
  if (overtaken_ >= kMaxOvertaken || order.size() > kMaxSorted) return order;
  sort(order, ledger);
  return order;
}

WaitingQueue::SequencePtr WaitingQueue::admit(RequestId id) {
  const bool oldest = !empty() && sequences_.front()->id() == id;
  overtaken_ = oldest ? 0 : overtaken_ + 1;
  return remove(id);
}

WaitingQueue::SequencePtr WaitingQueue::remove(RequestId id) {
  const auto at = std::ranges::find(sequences_, id, [](const SequencePtr& other) { return other->id(); });
  if (at == sequences_.end()) return nullptr;
  if (at == sequences_.begin()) overtaken_ = 0;
  SequencePtr sequence = std::move(*at);
  sequences_.erase(at);
  return sequence;
}

}  // namespace tessera::engine
