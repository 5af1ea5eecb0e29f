#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace tessera::text {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& text : stops) {
    if (text.empty()) continue;
    Stop& stop = stops_.emplace_back(Stop{text, std::vector<size_t>(text.size() + 1, 0)});
    for (size_t length = 1; length < text.size(); ++length) {
      stop.advance(text[length]);
      stop.border[length + 1] = stop.matched;
    }
    stop.matched = 0;
  }
}

void StopMatcher::Stop::advance(char c) {
  while (matched > 0 && text[matched] != c)
    matched = border[matched];
  if (text[matched] == c) ++matched;
}

StopMatcher::Piece StopMatcher::push(std::string_view piece) {
  if (ended_) return {};
  for (const char c : piece) {
    held_ += c;
    const Stop* complete = nullptr;
    for (Stop& stop : stops_) {
      stop.advance(c);
      if (stop.matched != stop.text.size()) continue;
      if (!complete || stop.text.size() > complete->text.size()) complete = &stop;
    }
    if (complete) {
      ended_ = true;
      held_.resize(held_.size() - complete->text.size());
      return {std::exchange(held_, {}), complete->text};
    }
  }
  size_t keep = 0;
  for (const Stop& stop : stops_)
    keep = std::max(keep, stop.matched);
  std::string released = held_.substr(0, held_.size() - keep);
  held_.erase(0, released.size());
  return {std::move(released), {}};
}

std::string StopMatcher::finish() {
  ended_ = true;
  return std::exchange(held_, {});
}

}  // namespace tessera::text
