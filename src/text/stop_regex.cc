#include "text/stop_regex.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tessera::text {

std::pair<int, char32_t> StopRegex::lead(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  if (value < 0xC0) return {0, value};
  if (value < 0xE0) return {1, value & 0x1FU};
  if (value < 0xF0) return {2, value & 0x0FU};
  return {3, value & 0x07U};
}

/// Adds `thread` to next_, and all that it leads to without a character; the start of the match, if it is
/// one.
std::optional<size_t> StopRegex::follow(Thread thread, size_t position) {
  std::optional<size_t> matched;
  pending_.assign(1, thread.state);
  while (!pending_.empty()) {
    const auto at = static_cast<size_t>(pending_.back());
    pending_.pop_back();
    if (seen_[at] == round_) continue;  // by a thread that began earlier
    seen_[at] = round_;
    const State& state = states_[at];
    switch (state.kind) {
      case State::Kind::kSet:
        next_.push_back({static_cast<int32_t>(at), thread.start});
        break;
      case State::Kind::kSplit:
        pending_.push_back(state.other);
        pending_.push_back(state.next);
        break;
      case State::Kind::kBegin:
        if (position == 0) pending_.push_back(state.next);
        break;
      case State::Kind::kMatch:
        matched = thread.start;
        break;
    }
  }
  return matched;
}

std::optional<size_t> StopRegex::advance(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  if (continuation_bytes_ == 0) {
    character_begin_ = position_;
    std::tie(continuation_bytes_, character_) = lead(byte);
  } else {
    --continuation_bytes_;
    character_ = (character_ << 6) | (value & 0x3FU);
  }
  ++position_;
  return continuation_bytes_ == 0 ? step(character_) : std::nullopt;
}

std::optional<size_t> StopRegex::step(char32_t character) {
  // A match may begin here, too.
  ++round_;
  next_ = std::move(threads_);
  for (const Thread& thread : next_)
    seen_[static_cast<size_t>(thread.state)] = round_;
  follow({entry_, character_begin_}, character_begin_);
  threads_ = std::move(next_);
  next_.clear();
  ++round_;
  std::optional<size_t> start;
  for (const Thread& thread : threads_) {
    const State& state = states_[static_cast<size_t>(thread.state)];
    const bool leads_on = std::ranges::any_of(state.set, [character](const Range& range) {
      return character >= range.first && character <= range.last;
    });
    if (!leads_on) continue;
    const auto matched = follow({state.next, thread.start}, position_);
    if (!start) start = matched;
  }
  threads_ = std::move(next_);
  next_.clear();
  return start ? std::optional(position_ - *start) : std::nullopt;
}

}  // namespace tessera::text
