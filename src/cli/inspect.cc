#include "cli/inspect.h"

#include <fmt/format.h>

#include "compress/inspect.h"
#include "formats/json_limits.h"

namespace tessera::cli {

void add_inspect_options(CLI::App& command, InspectArguments& arguments) {
  command
      .add_option("directory,--model-path,--model", arguments.directory, "model: a Hugging Face directory")
      ->required();
  command.add_flag("--json", arguments.json, "for programs");
}

Status run_inspect(const InspectArguments& arguments) {
  const auto inspection = TRY(compress::inspect_directory(arguments.directory));
  if (!arguments.json) {
    fmt::print("{}", compress::to_text(inspection));
    return {};
  }
  const std::string text = TRY(formats::dump_json(compress::to_json(inspection), "inspection"));
  fmt::print("{}\n", text);
  return {};
}

}  // namespace tessera::cli
