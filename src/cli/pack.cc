#include "cli/pack.h"

#include <fmt/format.h>

#include "cli/model_options.h"
#include "models/loader/packed_model.h"

namespace tessera::cli {

void add_pack_options(CLI::App& command, PackArguments& arguments) {
  command.add_option("--model-path,--model", arguments.model.model_path, "directory of the model")
      ->required();
  command.add_option("--output,-o", arguments.output, "file to write")->required();
  add_packing_options(command, arguments.model);
}

Status run_pack(const PackArguments& arguments) {
  const auto summary = TRY(models::pack_model(arguments.model, arguments.output));
  fmt::print("{}: {:.1f} MB of weights in {:.1f} MB\n", arguments.output,
             static_cast<double>(summary.report.packed_bytes) / 1e6,
             static_cast<double>(summary.file_bytes) / 1e6);
  return {};
}

}  // namespace tessera::cli
