#include "cli/eval.h"

namespace tessera::cli {

void add_eval_options(CLI::App& command, EvalArguments& arguments) {
  command.require_subcommand(1);
  add_perplexity(command, arguments);
  add_kl(command, arguments);
  add_gsm8k(command, arguments);
  add_compare(command, arguments);
}

Status run_eval(const EvalArguments& arguments) {
  return arguments.run();
}

}  // namespace tessera::cli
