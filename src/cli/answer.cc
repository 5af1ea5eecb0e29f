#include "cli/answer.h"

#include <chrono>
#include <utility>

#include "base/mailbox.h"

namespace tessera::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Piece {
  engine::Output output;
  Clock::time_point at;
};

double rate(int32_t tokens, Clock::duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  return tokens > 0 && seconds > 0 ? tokens / seconds : 0;
}

}  // namespace

Result<Session> open_session(const models::LoadOptions& options) {
  engine::OpenOptions open;
  open.load = options;
  Session session{.model = TRY(engine::open_model(open)), .info = {}, .engine = nullptr};
  session.info = session.model.executor->info();
  engine::EngineOptions engine_options;
  engine_options.max_running_requests = 1;
  engine_options.eos_token_ids = session.model.eos_token_ids;
  session.engine = TRY(engine::Engine::start(std::move(session.model.executor), *session.model.tokenizer,
                                             std::move(engine_options)));
  return session;
}

Result<Answer> ask(engine::Engine& engine, engine::Request request,
                   const std::function<void(std::string_view)>& on_text,
                   const std::function<bool()>& stopped) {
  // Shared: the engine destroys the callback after the last piece, perhaps after this function has returned.
  const auto mailbox = std::make_shared<Mailbox<Piece>>();
  const Clock::time_point start = Clock::now();
  const engine::RequestId id = TRY(engine.submit(
      std::move(request), [mailbox](const engine::Output& output) { mailbox->put({output, Clock::now()}); }));
  Answer answer;
  for (Clock::time_point first = start;;) {
    const auto [output, at] = mailbox->take();
    if (answer.ids.empty()) {
      first = at;
      answer.prefill_tokens_per_s = rate(output.prompt_tokens - output.cached_tokens, at - start);
    }
    answer.text += output.text;
    answer.ids.insert(answer.ids.end(), output.ids.begin(), output.ids.end());
    answer.prompt_tokens = output.prompt_tokens;
    answer.completion_tokens = output.completion_tokens;
    answer.cached_tokens = output.cached_tokens;
    if (!output.text.empty()) on_text(output.text);
    if (!output.finish) {
      if (stopped()) engine.cancel(id);
      continue;
    }
    if (output.finish->error && output.finish->error->code() != ErrorCode::kCancelled)
      return *output.finish->error;
    answer.decode_tokens_per_s = rate(answer.completion_tokens - 1, at - first);
    return answer;
  }
}

Result<std::vector<int32_t>> render_chat(const engine::OpenedModel& model,
                                         const nlohmann::ordered_json& messages) {
  if (!model.chat_template) return unsupported("the model has no chat template, expected one for chatting");
  const std::string prompt =
      TRY(model.chat_template->render(messages, nullptr, true, nullptr).context("chat template"));
  // The template writes the special tokens itself.
  return model.tokenizer->encode(prompt, false);
}

}  // namespace tessera::cli
