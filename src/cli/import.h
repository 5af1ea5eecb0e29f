// `tessera import FILE.gguf --output DIR`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"

namespace tessera::cli {

struct ImportArguments {
  std::string file;
  std::string output;
  std::string dtype = "bfloat16";
  bool force = false;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_import_options(CLI::App& command, ImportArguments& arguments);

/// Imports, and prints one line about the result on stdout.
Status run_import(const ImportArguments& arguments);

}  // namespace tessera::cli
