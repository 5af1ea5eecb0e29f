// --trace FILE of the commands that run a model.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/timeline.h"

namespace tessera::cli {

void add_trace(CLI::App& command, std::string& file);

/// Null when `file` is empty. It is to outlive the engine and the model.
Result<std::unique_ptr<Timeline>> start_trace(const std::string& file);

}  // namespace tessera::cli
