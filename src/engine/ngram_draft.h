// Guesses at what comes next by looking at what came after the same words before: prompt lookup decoding.
// Answers that quote, summarize or edit their prompt repeat it for long stretches. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera::engine {

struct NgramOptions {
  int32_t draft_tokens = 0;  // guesses per step at most; 0: none
  int32_t min_match = 1;     // tokens that must be the same before
  int32_t max_match = 12;    // more than that says no more
};

/// What followed the longest match (of min_match to max_match tokens) of the end of `ids` within `ids`, the
/// latest of equally long ones; empty when there is none, else min(limit, draft_tokens) tokens: where `ids`
/// end they go on as guessed, round and round. O(ids).
std::vector<int32_t> ngram_draft(std::span<const int32_t> ids, const NgramOptions& options, int32_t limit);

}  // namespace tessera::engine
