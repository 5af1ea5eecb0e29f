#include "cli/trace_option.h"

namespace tessera::cli {

void add_trace(CLI::App& command, std::string& file) {
  command.add_option("--trace", file,
                     "writes what each step does when to this file, for ui.perfetto.dev (docs/profiling.md)");
}

Result<std::unique_ptr<Timeline>> start_trace(const std::string& file) {
  if (file.empty()) return std::unique_ptr<Timeline>();
  return Timeline::start(file).context("--trace");
}

}  // namespace tessera::cli
