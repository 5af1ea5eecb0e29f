// `tessera version`: version, commit, the instruction set chosen and those compiled in; or what is supported.
#pragma once

#include <CLI/CLI.hpp>

#include "base/result.h"

namespace tessera::cli {

struct VersionArguments {
  bool support = false;
};

void add_version_options(CLI::App& command, VersionArguments& arguments);
Status run_version(const VersionArguments& arguments);

}  // namespace tessera::cli
