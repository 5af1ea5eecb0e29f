// What the engine is asked and what it answers, free of JSON and sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/pooling.h"
#include "sampling/logprobs.h"
#include "sampling/sampling_params.h"

namespace tessera::engine {

using RequestId = uint64_t;

struct Request {
  std::vector<int32_t> prompt_ids = {};  // at least one token
  int32_t max_new_tokens = 128;          // >= 0; 0 only fills the cache
  sampling::SamplingParams sampling = {};
  std::vector<std::string> stop = {};        // stop strings, trimmed from the output; empty ones are ignored
  std::vector<std::string> stop_regex = {};  // the same with expressions (text/stop_regex.h)
  std::vector<int32_t> stop_token_ids =
      {};  // beside the model's own end-of-sequence tokens; obeyed with ignore_eos too
  bool ignore_eos = false;
  bool skip_special_tokens = true;
  bool keep_stop =
      false;  // SGLang's no_stop_trim: the text of the stop string or stop token stays in the output
  std::optional<sampling::LogprobRequest> logprobs = {};  // of every new token; absent: of none
  int32_t prompt_logprobs_from = -1;    // with `logprobs`: of prompt tokens from this one on; -1: of none
  std::optional<Pooling> pooling = {};  // the prompt's embedding is the answer; there are no new tokens then
};

struct FinishReason {
  enum class Kind { kStop, kLength, kAbort };
  Kind kind = Kind::kStop;
  std::variant<std::monostate, int32_t, std::string> matched = {};  // kStop: the token id or the stop string
  std::optional<Error> error = {};                                  // kAbort: why
};

/// One step's news of one request. Pieces in order; concatenated `text` is the whole answer.
struct Output {
  std::string text = {};  // newly released text, may be empty while a character or a stop string is open
  std::vector<int32_t> ids = {};  // newly generated ids (a stop token is included, its text is not)
  int32_t prompt_tokens = 0;
  int32_t completion_tokens = 0;                  // so far
  int32_t cached_tokens = 0;                      // prompt tokens that were reused
  int32_t retractions = 0;                        // how often it was interrupted for want of cache
  std::vector<sampling::Logprobs> logprobs = {};  // of `ids`, if asked for
  // With the first piece: of prompt tokens max(1, prompt_logprobs_from) and up; nothing stands before token
  // 0.
  std::vector<sampling::Logprobs> prompt_logprobs = {};
  std::vector<float> embedding = {};        // [hidden], with `pooling` and the last piece; not normalised
  std::optional<FinishReason> finish = {};  // set on the last piece, and only there
};

/// Called on the engine thread, never concurrently for one request, possibly before submit() has returned the
/// id; must not block, throw or call the engine. Destroyed on the engine thread after the last piece.
using OutputCallback = std::function<void(const Output&)>;

}  // namespace tessera::engine
