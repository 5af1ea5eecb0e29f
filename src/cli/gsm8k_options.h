// The options of GSM8K that do not say who answers: --data-path, --num-questions, --num-shots, --parallel,
// --max-new-tokens, as SGLang's script names them.
#pragma once

#include <CLI/CLI.hpp>

#include "eval/gsm8k.h"

namespace tessera::cli {

/// Values land in `options`, which outlives the parse. Returns --data-path, which is not required.
CLI::Option* add_gsm8k_options(CLI::App& command, eval::Gsm8kOptions& options);

}  // namespace tessera::cli
