// AnswerText: the tokens of one answer become text: whole characters only, nothing that may turn out to be
// the beginning of a stop string, and nothing of a stop string once it is complete (unless the request keeps
// it). Engine thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.h"
#include "text/detokenizer.h"
#include "text/stop_matcher.h"
#include "text/tokenizer.h"

namespace tessera::engine {

class AnswerText {
 public:
  /// `tokenizer` outlives it; of `request` only the text options are read.
  AnswerText(const text::Tokenizer& tokenizer, const Request& request);

  struct Piece {
    std::string text;  // newly released
    std::optional<std::string>
        matched;  // the stop string that ended the answer; nothing may be pushed after it
  };
  Piece push(int32_t token);

  /// What was held back, when the answer ends for another reason than a stop string. Empty after a match.
  Piece finish();

 private:
  Piece match(const std::string& text);

  text::IncrementalDetokenizer detokenizer_;
  text::StopMatcher matcher_;
  // Stop strings that are the text of one special token. It is skipped in the text, so the matcher would
  // never see it.
  std::vector<std::pair<int32_t, std::string>> special_stops_;
  bool keep_stop_;
  bool ended_ = false;
};

}  // namespace tessera::engine
