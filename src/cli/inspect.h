// `tessera inspect DIR [--json]`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"

namespace tessera::cli {

struct InspectArguments {
  std::string directory;
  bool json = false;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_inspect_options(CLI::App& command, InspectArguments& arguments);

/// Prints schemes, bytes, memory plan and refusals on stdout. Refusals are an answer, not an error.
Status run_inspect(const InspectArguments& arguments);

}  // namespace tessera::cli
