// `tessera logits --model-path DIR --input-ids 1,2,3 --output FILE.safetensors`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

struct LogitsArguments {
  models::LoadOptions model;
  std::string input_ids;
  std::string output;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_logits_options(CLI::App& command, LogitsArguments& arguments);

/// Writes the tensor "logits", F32 [tokens, vocab].
Status run_logits(const LogitsArguments& arguments);

}  // namespace tessera::cli
