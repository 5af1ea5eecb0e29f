// `tessera eval perplexity --model-path DIR --text FILE`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

struct EvalArguments {
  models::LoadOptions model;
  std::string text;  // a file
  int32_t context = 1024;
  bool json = false;
};

/// Adds the measures as subcommands with their options; values land in `arguments`, which outlives the parse.
void add_eval_options(CLI::App& command, EvalArguments& arguments);

/// Measures, and prints the figure on stdout.
Status run_eval(const EvalArguments& arguments);

}  // namespace tessera::cli
