// StopMatcher: finds stop strings and expressions in text that arrives in pieces, and holds back what may be
// the beginning of one. The stop string that is complete first (at the earliest byte) wins; of several that
// end at the same byte, the longest. So the outcome does not depend on how the text was cut into pieces.
// Cost: pieces' bytes x number of stop strings. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/stop_regex.h"

namespace tessera::text {

class StopMatcher {
 public:
  /// Empty stop strings never match.
  explicit StopMatcher(const std::vector<std::string>& stops, std::vector<StopRegex> regexes = {});

  struct Piece {
    std::string text;                    // released: in no stop string, whatever follows
    std::optional<std::string> matched;  // the stop string or expression that ended the text
    std::string ending = {};             // what matched it; it is not part of `text`
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

  /// What ends with the newest byte.
  struct Ending {
    const std::string* stop = nullptr;  // null: nothing
    size_t bytes = 0;
  };
  Ending advance(char c);

  std::vector<Stop> stops_;
  std::vector<StopRegex> regexes_;
  std::string held_;
  bool ended_ = false;
};

}  // namespace tessera::text
