#include "engine/admission.h"

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

}  // namespace

Status check_request(const Request& request, const ExecutorInfo& info) {
  if (request.prompt_ids.empty()) return invalid_argument("the prompt is empty, expected at least one token");
  if (request.max_new_tokens < 0) {
    return invalid_argument("max_new_tokens={} is negative, expected >= 0", request.max_new_tokens);
  }
  TRY_STATUS(check_length(request, info));
  for (size_t at = 0; at < request.prompt_ids.size(); ++at) {
    const int32_t token = request.prompt_ids[at];
    if (token < 0 || token >= info.vocab_size) {
      return invalid_argument("prompt token {} is {}, expected an id in [0, {})", at, token, info.vocab_size);
    }
  }
  TRY_STATUS(sampling::validate(request.sampling));
  return check_stops(request);
}

}  // namespace tessera::engine
