#include "cli/version.h"

#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "base/isa.h"
#include "compress/support_table.h"
#include "tessera_version.h"

namespace tessera::cli {

void add_version_options(CLI::App& command, VersionArguments& arguments) {
  command.add_flag("--support", arguments.support,
                   "architectures, checkpoints and schemes instead, as tables in Markdown");
}

Status run_version(const VersionArguments& arguments) {
  if (arguments.support) {
    fmt::print("{}", compress::support_tables());
    return {};
  }
  std::vector<std::string_view> compiled;
  for (const Isa isa : all_isas())
    compiled.push_back(isa_name(isa));
  fmt::print("tessera {} (commit {})\nisa {} on {}; compiled in: {}\n", kVersion, kCommit,
             isa_name(active_isa()), cpu_name(), fmt::join(compiled, " "));
  return {};
}

}  // namespace tessera::cli
