// One request through an engine, awaited by the caller: what generate and chat share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/open_model.h"

namespace tessera::cli {

struct Answer {
  std::string text;
  std::vector<int32_t> ids;
  int32_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0;
  double prefill_tokens_per_s = 0;  // until the first token
  double decode_tokens_per_s = 0;   // of the tokens after it; 0 when there are none
};

/// A model with an engine for one request at a time. The engine uses the tokenizer: do not move it out.
struct Session {
  engine::OpenedModel model;
  engine::ExecutorInfo info;
  std::unique_ptr<engine::Engine> engine;
};
Result<Session> open_session(const models::LoadOptions& options);

/// Blocks until the last piece. `on_text` gets the pieces of text on the calling thread, as they come; once
/// `stopped` says so the request is cancelled, and the answer is what came until then.
Result<Answer> ask(
    engine::Engine& engine, engine::Request request, const std::function<void(std::string_view)>& on_text,
    const std::function<bool()>& stopped = [] { return false; });

/// The chat template over `messages`, as token ids; kUnsupported when the model has none.
Result<std::vector<int32_t>> render_chat(const engine::OpenedModel& model,
                                         const nlohmann::ordered_json& messages);

}  // namespace tessera::cli
