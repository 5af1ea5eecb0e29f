#include "api/call.h"

#include "api/error.h"

namespace tessera::api {

using Kind = engine::FinishReason::Kind;

void merge(engine::Output& merged, const engine::Output& next) {
  merged.text += next.text;
  merged.ids.insert(merged.ids.end(), next.ids.begin(), next.ids.end());
  merged.prompt_tokens = next.prompt_tokens;
  merged.completion_tokens = next.completion_tokens;
  merged.cached_tokens = next.cached_tokens;
  merged.retractions = next.retractions;
  merged.logprobs.insert(merged.logprobs.end(), next.logprobs.begin(), next.logprobs.end());
  merged.prompt_logprobs.insert(merged.prompt_logprobs.end(), next.prompt_logprobs.begin(),
                                next.prompt_logprobs.end());
  merged.embedding.insert(merged.embedding.end(), next.embedding.begin(), next.embedding.end());
  merged.finish = next.finish;
}

Json matched_stop(const engine::Output& output) {
  if (!output.finish) return nullptr;
  if (const auto* id = std::get_if<int32_t>(&output.finish->matched)) return *id;
  if (const auto* text = std::get_if<std::string>(&output.finish->matched)) return *text;
  return nullptr;
}

Json openai_finish_reason(const engine::Output& output) {
  if (!output.finish) return nullptr;
  switch (output.finish->kind) {
    case Kind::kStop:
      return "stop";
    case Kind::kLength:
      return "length";
    case Kind::kAbort:
      return "abort";
  }
  return nullptr;
}

Json native_finish_reason(const engine::Output& output) {
  if (!output.finish) return nullptr;
  switch (output.finish->kind) {
    case Kind::kStop: {
      Json reason = {{"type", "stop"}};
      if (Json matched = matched_stop(output); !matched.is_null()) reason["matched"] = std::move(matched);
      return reason;
    }
    case Kind::kLength:
      return {{"type", "length"}, {"length", output.completion_tokens}};
    case Kind::kAbort:
      return {{"type", "abort"},
              {"message", output.finish->error ? public_message(*output.finish->error) : "aborted"},
              {"status_code", nullptr},
              {"err_type", nullptr}};
  }
  return nullptr;
}

}  // namespace tessera::api
