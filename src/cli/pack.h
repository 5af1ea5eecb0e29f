// `tessera pack --model-path DIR --output FILE`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

struct PackArguments {
  models::LoadOptions model;
  std::string output;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_pack_options(CLI::App& command, PackArguments& arguments);

/// Packs, and prints one line about the result on stdout.
Status run_pack(const PackArguments& arguments);

}  // namespace tessera::cli
