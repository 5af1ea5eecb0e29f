// StopRegex: a regular expression looked for in text that arrives bit by bit. It ends at the first character
// at which some match is complete, however the text was cut, and of the matches that end there it is the one
// that began first. All ways to match are followed at once (Thompson 1968), so the cost per character is
// bounded by the size of the expression: one from outside cannot make it slow.
//
// Characters, . [...] [^...] \d \w \s \D \W \S, escapes of controls and punctuation, ( ) (?: ) | * + ? {m,n};
// ^ at the very beginning of the text. No look-around, no back references, no $ and no \b: a text that is
// still being written has no end. \d, \w and \s are those of ASCII. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tessera::text {

class StopRegex {
 public:
  static constexpr size_t kMaxPatternBytes = 1024;
  static constexpr size_t kMaxStates = 1000;

  /// kInvalidArgument naming the place: a mistake, something of the above that is not offered, an expression
  /// that the empty text matches or that is too large.
  static Result<StopRegex> compile(std::string_view pattern);

  const std::string& pattern() const { return pattern_; }

  /// The next byte of the text, which is UTF-8. The length in bytes of the match that it completes, if it
  /// does.
  std::optional<size_t> advance(char byte);

  /// Bytes at the end of the text that may be the beginning of a match.
  size_t partial() const { return threads_.empty() ? 0 : position_ - threads_.front().start; }

 private:
  struct Range {
    char32_t first, last;
  };
  struct State {
    enum class Kind : uint8_t { kSet, kSplit, kBegin, kMatch };
    Kind kind = Kind::kMatch;
    std::vector<Range> set = {};  // kSet: what leads on
    int32_t next = -1, other = -1;
  };
  struct Thread {
    int32_t state;
    size_t start;  // where its match began, in bytes
  };
  friend class RegexCompiler;

  /// Bytes that follow a first byte of UTF-8, and what it contributes.
  static std::pair<int, char32_t> lead(char byte);
  std::optional<size_t> step(char32_t character);
  std::optional<size_t> follow(Thread thread, size_t position);

  std::string pattern_;
  std::vector<State> states_;
  int32_t entry_ = -1;

  std::vector<Thread> threads_, next_;  // earlier starts first
  std::vector<int32_t> pending_;        // scratch of follow()
  std::vector<size_t> seen_;            // per state: the round in which it was last reached
  size_t round_ = 0;
  size_t position_ = 0;         // bytes so far
  char32_t character_ = 0;      // of which some bytes are still to come
  int continuation_bytes_ = 0;  // how many
  size_t character_begin_ = 0;
};

}  // namespace tessera::text
