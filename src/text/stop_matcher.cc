#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace tessera::text {

StopMatcher::StopMatcher(const std::vector<std::string>& stops, std::vector<StopRegex> regexes)
    : regexes_(std::move(regexes)) {
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

StopMatcher::Ending StopMatcher::advance(char c) {
  Ending ending;
  const auto ends = [&ending](const std::string& stop, size_t bytes) {
    if (bytes > ending.bytes) ending = {&stop, bytes};
  };
  for (Stop& stop : stops_) {
    stop.advance(c);
    if (stop.matched == stop.text.size()) ends(stop.text, stop.matched);
  }
  for (StopRegex& regex : regexes_) {
    if (const auto bytes = regex.advance(c)) ends(regex.pattern(), *bytes);
  }
  return ending;
}

StopMatcher::Piece StopMatcher::push(std::string_view piece) {
  if (ended_) return {};
  for (const char c : piece) {
    held_ += c;
    const auto [stop, bytes] = advance(c);
    if (!stop) continue;
    ended_ = true;
    std::string ending = held_.substr(held_.size() - bytes);
    held_.resize(held_.size() - bytes);
    return {std::exchange(held_, {}), *stop, std::move(ending)};
  }
  size_t keep = 0;
  for (const Stop& stop : stops_)
    keep = std::max(keep, stop.matched);
  for (const StopRegex& regex : regexes_)
    keep = std::max(keep, regex.partial());
  std::string released = held_.substr(0, held_.size() - keep);
  held_.erase(0, released.size());
  return {std::move(released), {}, {}};
}

std::string StopMatcher::finish() {
  ended_ = true;
  return std::exchange(held_, {});
}

}  // namespace tessera::text
