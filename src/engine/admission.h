// What a request must fulfil before it may queue: everything that could make it fail later for a reason that
// is visible now. Pure; any thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "engine/executor.h"
#include "engine/request.h"

namespace tessera::engine {

// Matching costs O(total length) per new piece of text, and memory for as long as the request lives.
constexpr size_t kMaxStopStrings = 64;
constexpr size_t kMaxStopBytes = 1024;  // of one stop string
constexpr size_t kMaxStopRegexes = 8;   // each may cost up to StopRegex::kMaxStates per character
constexpr size_t kMaxStopTokenIds = 1024;
constexpr int32_t kMaxTopLogprobs = 128;
constexpr size_t kMaxLogprobTokens = 1024;

/// Pages that hold `tokens` tokens.
constexpr int32_t pages_for(int64_t tokens, int32_t page_size) {
  return static_cast<int32_t>((tokens + page_size - 1) / page_size);
}

/// kInvalidArgument naming what is wrong: an empty prompt, a token outside the vocabulary, prompt +
/// max_new_tokens beyond the context or the whole cache (naming both numbers), sampling parameters, too many
/// or too long stop strings.
Status check_request(const Request& request, const ExecutorInfo& info);

}  // namespace tessera::engine
