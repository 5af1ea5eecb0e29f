// EngineCompleter: prompts through the continuous batching of an engine in this process.
#pragma once

#include <memory>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/open_model.h"
#include "eval/completer.h"

namespace tessera::eval {

class EngineCompleter : public Completer {
 public:
  /// Up to `parallel` prompts run together.
  static Result<std::unique_ptr<EngineCompleter>> start(engine::OpenedModel model, int32_t parallel);

  Result<std::vector<Completion>> complete(std::span<const std::string> prompts,
                                           const CompletionOptions& options,
                                           const std::function<void()>& on_done) override;

 private:
  std::unique_ptr<text::Tokenizer> tokenizer_;  // the engine uses it to its end
  std::unique_ptr<engine::Engine> engine_;
};

}  // namespace tessera::eval
