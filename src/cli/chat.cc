#include "cli/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <limits>

#include "api/model_card.h"
#include "cli/answer.h"
#include "cli/model_options.h"

namespace tessera::cli {
namespace {

constexpr const char* kHelp =
    "  /help         this text\n"
    "  /reset        forget the conversation\n"
    "  /system TEXT  the model's instructions from now on; forgets the conversation\n"
    "  /exit         end\n"
    "  Ctrl-C        ends the answer under way, or else the chat\n";

volatile std::sig_atomic_t interrupted = 0;

/// No SA_RESTART: a Ctrl-C while a line is read ends the reading, and so the chat.
void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
}

class Chat {
 public:
  Chat(const ChatArguments& arguments, const Session& session, const api::SamplingDefaults& defaults)
      : arguments_(arguments), session_(session), interactive_(isatty(STDIN_FILENO) == 1) {
    sampling_.temperature =
        arguments.temperature.value_or(static_cast<float>(defaults.temperature.value_or(1.0)));
    sampling_.top_p = static_cast<float>(defaults.top_p.value_or(sampling_.top_p));
    sampling_.top_k = defaults.top_k.value_or(sampling_.top_k);
    sampling_.min_p = static_cast<float>(defaults.min_p.value_or(sampling_.min_p));
    sampling_.seed = arguments.seed;
    reset(arguments.system);
  }

  Status run() {
    if (interactive_) fmt::print("{}: /help lists the commands.\n", session_.model.report.architecture);
    for (std::string line; read(line);) {
      if (line.empty()) continue;
      if (line == "/exit") return {};
      if (line.starts_with('/')) {
        obey(line);
      } else {
        TRY_STATUS(say(line));
      }
    }
    return {};
  }

 private:
  void reset(std::string system) {
    system_ = std::move(system);
    messages_ = nlohmann::ordered_json::array();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }

  bool read(std::string& line) const {
    if (interactive_) fmt::print("> ");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) return false;
    if (line.ends_with('\r')) line.pop_back();
    return true;
  }

  void obey(const std::string& line) {
    constexpr std::string_view kSystem = "/system ";
    if (line == "/reset") {
      reset(system_);
    } else if (line.starts_with(kSystem)) {
      reset(line.substr(kSystem.size()));
    } else {
      if (line != "/help") fmt::print("{} is unknown.\n", line);
      fmt::print("{}", kHelp);
    }
  }

  /// A message that cannot be answered (not UTF-8, refused by the template, too long) is said and forgotten.
  Status say(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    auto answer = ask_model();
    if (!answer) {
      const ErrorCode code = answer.error().code();
      if (code != ErrorCode::kInvalidArgument && code != ErrorCode::kResourceExhausted) return answer.error();
      fmt::print("{}\n", answer.error().message());
      messages_.erase(messages_.size() - 1);
      return {};
    }
    fmt::print("\n[{} tokens, {:.1f} tokens/s]\n", answer->completion_tokens, answer->decode_tokens_per_s);
    messages_.push_back({{"role", "assistant"}, {"content", answer->text}});
    return {};
  }

  Result<Answer> ask_model() const {
    engine::Request request;
    request.prompt_ids = TRY(render_chat(session_.model, messages_));
    const int64_t capacity = std::min<int64_t>(session_.info.max_context,
                                               int64_t{session_.info.page_count} * session_.info.page_size);
    const int64_t room = capacity - static_cast<int64_t>(request.prompt_ids.size());
    if (room < 1) {
      return invalid_argument("the conversation has {} tokens, expected less than {}: /reset starts anew",
                              request.prompt_ids.size(), capacity);
    }
    request.max_new_tokens = static_cast<int32_t>(std::min<int64_t>(arguments_.max_new_tokens, room));
    request.sampling = sampling_;
    interrupted = 0;
    const auto print = [](std::string_view text) {
      fmt::print("{}", text);
      std::fflush(stdout);
    };
    return ask(*session_.engine, std::move(request), print, [] { return interrupted != 0; });
  }

  const ChatArguments& arguments_;
  const Session& session_;
  bool interactive_;
  sampling::SamplingParams sampling_;
  std::string system_;
  nlohmann::ordered_json messages_;
};

}  // namespace

void add_chat_options(CLI::App& command, ChatArguments& arguments) {
  add_model_options(command, arguments.model);
  command.add_option("--system", arguments.system, "instructions to the model");
  command.add_option("--max-new-tokens", arguments.max_new_tokens, "length of an answer at most")
      ->check(CLI::Range(1, std::numeric_limits<int32_t>::max()))
      ->capture_default_str();
  command
      .add_option("--temperature", arguments.temperature,
                  "0: always the most likely token (default: the model's)")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--seed", arguments.seed, "same seed, same answers (default: from the system)");
}

Status run_chat(const ChatArguments& arguments) {
  const Session session = TRY(open_session(arguments.model));
  if (!session.model.chat_template) {
    return unsupported("{}: no chat template, expected one in tokenizer_config.json",
                       arguments.model.model_path);
  }
  const auto defaults = TRY(api::parse_sampling_defaults(session.model.generation_config));
  watch_interrupts();
  return Chat(arguments, session, defaults).run();
}

}  // namespace tessera::cli
