// Command: one subcommand of `tessera` as a row of the table in main.cc. A command is a pair of functions in
// a file of its own, add_X_options(CLI::App&, Arguments&) and run_X(const Arguments&).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "base/result.h"

namespace tessera::cli {

/// Runs after the parse.
using Action = std::function<Status()>;

struct Command {
  const char* name;
  const char* summary;  // one line
  const char* example;  // ends the command's help
  Action (*setup)(CLI::App& command);
};

/// A Command's `setup` from its pair of functions.
template <class Arguments, void (*add_options)(CLI::App&, Arguments&), Status (*run)(const Arguments&)>
Action setup(CLI::App& command) {
  auto arguments = std::make_shared<Arguments>();
  add_options(command, *arguments);
  return [arguments] { return run(*arguments); };
}

}  // namespace tessera::cli
