#include "cli/import.h"

#include <fmt/format.h>

#include "formats/gguf/import.h"

namespace tessera::cli {

void add_import_options(CLI::App& command, ImportArguments& arguments) {
  command.add_option("file", arguments.file, "the GGUF file")->required();
  command.add_option("--output,-o", arguments.output, "directory to write; created if absent")->required();
  command.add_option("--dtype", arguments.dtype, "of the weights written")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  command.add_flag("--force", arguments.force, "write into a directory that is not empty");
}

Status run_import(const ImportArguments& arguments) {
  formats::gguf::ImportOptions options;
  options.dtype = arguments.dtype == "float32" ? DType::kF32 : DType::kBF16;
  options.force = arguments.force;
  const auto summary = TRY(formats::gguf::import_gguf(arguments.file, arguments.output, options));
  fmt::print("{}: {}, {} tensors, {:.1f} MB of {} weights\n", arguments.output, summary.hf_class,
             summary.tensors, static_cast<double>(summary.weight_bytes) / 1e6, arguments.dtype);
  return {};
}

}  // namespace tessera::cli
