// `tessera eval perplexity|kl|gsm8k|compare`: how good a model is. Each measure is a subcommand in a file of
// its own.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/result.h"

namespace tessera::cli {

struct EvalArguments {
  std::function<Status()> run;  // of the subcommand that was given
};

/// Adds the measures with their options.
void add_eval_options(CLI::App& command, EvalArguments& arguments);

/// Measures, and prints the figures on stdout.
Status run_eval(const EvalArguments& arguments);

/// The subcommands: each sets `arguments.run` when it is given.
void add_perplexity(CLI::App& command, EvalArguments& arguments);
void add_kl(CLI::App& command, EvalArguments& arguments);
void add_gsm8k(CLI::App& command, EvalArguments& arguments);
void add_compare(CLI::App& command, EvalArguments& arguments);

}  // namespace tessera::cli
