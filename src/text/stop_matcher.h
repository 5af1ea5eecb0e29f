// StopMatcher: finds stop strings in text that arrives in pieces, and holds back what may be the beginning of
// one. The stop string that is complete first (at the earliest byte) wins; of several that end at the same
// byte, the longest. So the outcome does not depend on how the text was cut into pieces. Cost: pieces' bytes
// x number of stop strings. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::text {

class StopMatcher {
 public:
  /// Empty stop strings never match.
  explicit StopMatcher(const std::vector<std::string>& stops);

  struct Piece {
    std::string text;                    // released: in no stop string, whatever follows
    std::optional<std::string> matched;  // the stop string that ended the text; it is not part of `text`
  };
  /// `piece` is whole UTF-8 characters, and then so is what comes out. After a match every further piece is
  /// dropped.
  Piece push(std::string_view piece);

  /// What was held back, when the text ends without a match.
  std::string finish();

 private:
  // Knuth, Morris and Pratt: `matched` bytes at the end of the text are the beginning of `text`; border[n] is
  // the longest beginning of `text` that also ends its first n bytes.
  struct Stop {
    std::string text;
    std::vector<size_t> border;
    size_t matched = 0;
    void advance(char c);
  };

  std::vector<Stop> stops_;
  std::string held_;
  bool ended_ = false;
};

}  // namespace tessera::text
