#include "eval/engine_completer.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/mailbox.h"

namespace tessera::eval {
namespace {

struct Piece {
  size_t prompt = 0;
  engine::Output output;
};

}  // namespace

Result<std::unique_ptr<EngineCompleter>> EngineCompleter::start(engine::OpenedModel model, int32_t parallel) {
  auto completer = std::make_unique<EngineCompleter>();
  completer->tokenizer_ = std::move(model.tokenizer);
  engine::EngineOptions options;
  options.max_running_requests = parallel;
  options.max_queued_requests = parallel;  // as many as complete() hands over at once
  options.max_queued_tokens = std::numeric_limits<int64_t>::max();
  options.eos_token_ids = std::move(model.eos_token_ids);
  completer->engine_ =
      TRY(engine::Engine::start(std::move(model.executor), *completer->tokenizer_, std::move(options)));
  return completer;
}

Result<std::vector<Completion>> EngineCompleter::complete(std::span<const std::string> prompts,
                                                          const CompletionOptions& options,
                                                          const std::function<void()>& on_done) {
  std::vector<Completion> completions(prompts.size());
  // Shared: after an error the engine still tells the requests that run.
  const auto mailbox = std::make_shared<Mailbox<Piece>>();
  const auto submit = [&](size_t prompt) -> Status {
    engine::Request request;
    request.prompt_ids = TRY(tokenizer_->encode(prompts[prompt], true));
    request.max_new_tokens = options.max_new_tokens;
    request.sampling.temperature = 0;
    request.stop = options.stop;
    TRY(engine_->submit(std::move(request),
                        [mailbox, prompt](const engine::Output& output) { mailbox->put({prompt, output}); }));
    return {};
  };
  size_t submitted = 0;
  for (size_t done = 0; done < prompts.size();) {
    while (submitted < prompts.size() && submitted < done + static_cast<size_t>(options.parallel)) {
      TRY_STATUS(submit(submitted).context(fmt::format("prompt {}", submitted)));
      ++submitted;
    }
    const auto [prompt, output] = mailbox->take();
    completions[prompt].text += output.text;
    completions[prompt].completion_tokens = output.completion_tokens;
    if (!output.finish) continue;
    if (output.finish->error)
      return Error(*output.finish->error).with_context(fmt::format("prompt {}", prompt));
    ++done;
    on_done();
  }
  return completions;
}

}  // namespace tessera::eval
