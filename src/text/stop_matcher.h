// StopMatcher: finds stop strings in text that arrives in pieces, and releases what cannot be part of one any
// more. The match is the one that ends first; of several that end there, the longest. So the result does not
// depend on how the text is cut. Linear: each byte advances one Knuth-Morris-Pratt state per stop string. One
// per sequence, not thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::text {

class StopMatcher {
 public:
  /// `stops` are not empty strings; the list may be empty.
  explicit StopMatcher(std::vector<std::string> stops);

  struct Piece {
    std::string released;
    std::optional<std::string> matched;  // the stop string; released text ends right before it
  };
  /// Must not be called after a match. Text behind the match is dropped.
  Piece push(std::string_view text);
  /// What was held back, when the text ends without a match.
  std::string finish();

 private:
  struct Pattern {
    std::string text;
    std::vector<size_t> border;  // border[n]: the longest proper prefix of text[0, n) that is also its suffix
    size_t matched = 0;          // how much of the pattern the text's end is
  };
  static size_t advance(const Pattern& pattern, char byte);

  std::vector<Pattern> patterns_;
  std::string held_;
  bool done_ = false;
};

}  // namespace tessera::text
