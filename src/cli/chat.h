// `tessera chat --model-path DIR`: a conversation in the terminal, or over a pipe (the end of input ends it).
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

struct ChatArguments {
  models::LoadOptions model;
  std::string system;
  int32_t max_new_tokens = 1024;
  std::optional<float> temperature;  // absent: the model's own
  std::optional<uint64_t> seed;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_chat_options(CLI::App& command, ChatArguments& arguments);

/// Returns at /exit or at the end of standard input.
Status run_chat(const ChatArguments& arguments);

}  // namespace tessera::cli
