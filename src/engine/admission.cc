#include "engine/admission.h"

#include "text/stop_regex.h"

namespace tessera::engine {
namespace {

Status check_stops(const Request& request) {
  if (request.stop.size() > kMaxStopStrings) {
    return invalid_argument("stop has {} strings, expected at most {}", request.stop.size(), kMaxStopStrings);
  }
  for (const std::string& stop : request.stop) {
    if (stop.size() > kMaxStopBytes) {
      return invalid_argument("a stop string has {} bytes, expected at most {}", stop.size(), kMaxStopBytes);
    }
  }
  if (request.stop_regex.size() > kMaxStopRegexes) {
    return invalid_argument("stop_regex has {} expressions, expected at most {}", request.stop_regex.size(),
                            kMaxStopRegexes);
  }
  for (const std::string& pattern : request.stop_regex)
    TRY_STATUS(text::StopRegex::compile(pattern).context("stop_regex"));
  if (request.stop_token_ids.size() > kMaxStopTokenIds) {
    return invalid_argument("stop_token_ids has {} ids, expected at most {}", request.stop_token_ids.size(),
                            kMaxStopTokenIds);
  }
  return {};
}

Status check_length(const Request& request, const ExecutorInfo& info) {
  const auto prompt = static_cast<int64_t>(request.prompt_ids.size());
  const int64_t wanted = prompt + request.max_new_tokens;
  if (wanted > info.max_context) {
    return invalid_argument(
        "the prompt's {} tokens and max_new_tokens={} make {}, expected at most the context length of {} "
        "tokens",
        prompt, request.max_new_tokens, wanted, info.max_context);
  }
  if (pages_for(wanted, info.page_size) > info.page_count) {
    return invalid_argument(
        "the prompt's {} tokens and max_new_tokens={} make {}, expected at most the {} tokens that the KV "
        "cache holds",
        prompt, request.max_new_tokens, wanted, int64_t{info.page_size} * info.page_count);
  }
  return {};
}

Status check_tokens(std::span<const int32_t> prompt, const ExecutorInfo& info) {
  for (size_t at = 0; at < prompt.size(); ++at) {
    if (prompt[at] < 0 || prompt[at] >= info.vocab_size) {
      return invalid_argument("prompt token {} is {}, expected an id in [0, {})", at, prompt[at],
                              info.vocab_size);
    }
  }
  return {};
}

Status check_sampling(const Request& request, const ExecutorInfo& info) {
  TRY_STATUS(sampling::validate(request.sampling));
  for (const auto& [token, bias] : request.sampling.logit_bias) {
    if (token < 0 || token >= info.vocab_size) {
      return invalid_argument("logit_bias has token {}, expected an id in [0, {})", token, info.vocab_size);
    }
  }
  if (request.sampling.min_new_tokens > request.max_new_tokens) {
    return invalid_argument("min_new_tokens={} is more than max_new_tokens={}",
                            request.sampling.min_new_tokens, request.max_new_tokens);
  }
  return {};
}

/// Sorting and sending thousands of logprobs per token would be work for nobody's use.
Status check_logprobs(const Request& request, const ExecutorInfo& info) {
  if (!request.logprobs) return {};
  const auto& [top, tokens] = *request.logprobs;
  if (top < 0 || top > kMaxTopLogprobs) {
    return invalid_argument("logprobs of the {} most likely tokens are wanted, expected 0 to {}", top,
                            kMaxTopLogprobs);
  }
  if (tokens.size() > kMaxLogprobTokens) {
    return invalid_argument("logprobs of {} tokens are wanted, expected at most {}", tokens.size(),
                            kMaxLogprobTokens);
  }
  for (const int32_t token : tokens) {
    if (token < 0 || token >= info.vocab_size)
      return invalid_argument("logprobs of token {} are wanted, expected an id in [0, {})", token,
                              info.vocab_size);
  }
  return {};
}

Status check_pooling(const Request& request) {
  if (!request.pooling) return {};
  if (request.max_new_tokens > 0) {
    return invalid_argument("an embedding is wanted and max_new_tokens={}, expected 0",
                            request.max_new_tokens);
  }
  if (request.logprobs) return invalid_argument("an embedding is wanted and logprobs, expected one of them");
  return {};
}

}  // namespace

Status check_request(const Request& request, const ExecutorInfo& info) {
  if (request.prompt_ids.empty()) return invalid_argument("the prompt is empty, expected at least one token");
  if (request.max_new_tokens < 0) {
    return invalid_argument("max_new_tokens={} is negative, expected >= 0", request.max_new_tokens);
  }
  TRY_STATUS(check_length(request, info));
  TRY_STATUS(check_tokens(request.prompt_ids, info));
  TRY_STATUS(check_sampling(request, info));
  TRY_STATUS(check_logprobs(request, info));
  TRY_STATUS(check_pooling(request));
  return check_stops(request);
}

}  // namespace tessera::engine
