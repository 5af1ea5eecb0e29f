#include "cli/quantize.h"

#include <fmt/format.h>

#include "compress/quantize.h"

namespace tessera::cli {
namespace {

double megabytes(uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace

void add_quantize_options(CLI::App& command, QuantizeArguments& arguments) {
  auto& options = arguments.options;
  command.add_option("--model-path", options.model_path, "float model: a Hugging Face directory")->required();
  command.add_option("--output,-o", options.output, "directory to write; created if absent")->required();
  command
      .add_option("--scheme", options.scheme,
                  "w8a8, w4a8, w4a4, w8a16, w4a16, or w4a4-w8a8: w4a4 with o_proj and down_proj at w8a8")
      ->required();
  command.add_option("--format", options.format, "of the checkpoint; modelslim: w8a8, w4a8, w4a4 and w4a4-w8a8, per channel")
      ->check(CLI::IsMember({"compressed-tensors", "modelslim"}))
      ->capture_default_str();
  command.add_option("--method", arguments.method, "rtn: round to nearest")
      ->check(CLI::IsMember({"rtn"}))
      ->capture_default_str();
  command.add_option(
      "--group-size", arguments.group_size,
      "input columns that share a scale: 32, 64, 128 or channel; default: channel for w8a8 and w4a4, "
      "else the largest that divides every width");
  command
      .add_option("--lm-head", options.lm_head,
                  "the output head: none (float), w8a8 (recommended: perplexity +1 %) or w4a8 (+46 % on a "
                  "small model); "
                  "a tied one gets tensors of its own")
      ->capture_default_str();
  command
      .add_option("--ignore", options.ignore,
                  "regex of linears to leave in float, matched from the start of the name; may be repeated")
      ->expected(1)
      ->take_all();
  command.add_option(
      "--storage", arguments.storage,
      "int: a byte per code, pack: no unused bits; default: pack for 4-bit and weight-only schemes");
  command.add_option("--threads", options.threads, "0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_flag("--force", options.force, "write into a directory that is not empty");
}

Status run_quantize(const QuantizeArguments& arguments) {
  compress::QuantizeOptions options = arguments.options;
  if (!arguments.group_size.empty())
    options.group_size = TRY(compress::parse_group_size(arguments.group_size));
  if (!arguments.storage.empty()) options.storage = TRY(compress::parse_storage(arguments.storage));
  const auto summary = TRY(compress::quantize_directory(options));
  fmt::print("{}: {} linears in {}, {:.1f} MB (were {:.1f} MB); {:.1f} MB in all, {}\n", options.output,
             summary.linears, fmt::join(summary.schemes, " and "), megabytes(summary.linear_bytes),
             megabytes(summary.source_linear_bytes), megabytes(summary.total_bytes), summary.format);
  return {};
}

}  // namespace tessera::cli
