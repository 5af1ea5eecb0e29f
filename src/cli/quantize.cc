#include "cli/quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/process_memory.h"
#include "cli/sensitivity_page.h"
#include "compress/auto/auto_report.h"
#include "compress/quantize.h"

namespace tessera::cli {
namespace {

double megabytes(uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

void add_method_options(CLI::App& command, QuantizeArguments& arguments) {
  auto& calibration = arguments.options.calibration;
  command
      .add_option(
          "--method", arguments.method,
          "rtn: round to nearest; gptq: by what calibration text feeds each linear, layer after layer")
      ->check(CLI::IsMember({"rtn", "gptq"}))
      ->capture_default_str();
  command
      .add_option(
          "--rotate", arguments.rotate,
          "hadamard: spread outliers over all channels by rotations that are folded into the weights; any "
          "engine runs the result. online: also the inputs of down_proj while the model runs "
          "(transform_config)")
      ->check(CLI::IsMember({"none", "hadamard", "online"}))
      ->capture_default_str();
  command
      .add_option("--smooth", arguments.options.smooth,
                  "SmoothQuant's alpha, 0.5 to 0.8: outliers of 8-bit activations move into the weights, by "
                  "factors folded into norms, v_proj and up_proj; any engine runs the result. With --rotate "
                  "only of the inputs of o_proj and down_proj, which a rotation alone leaves uneven")
      ->check(CLI::Range(0., 1.));
  command.add_flag("--awq", arguments.options.awq,
                   "factors folded likewise, that make the weights of the channels that matter exact: good "
                   "for 4-bit weights without rotation (w4a16, w4a8); instead of --smooth and --rotate");
  command
      .add_option("--kv-cache", arguments.kv_cache,
                  "int8: the checkpoint asks for an int8 KV cache; with --rotate online queries and keys "
                  "are rotated for it")
      ->check(CLI::IsMember({"none", "int8"}))
      ->capture_default_str();
  command
      .add_option(
          "--clip", arguments.clip,
          "none: scales reach the largest weight; mse: each scale is the one with the least squared error")
      ->check(CLI::IsMember({"none", "mse"}))
      ->capture_default_str();
  command.add_option(
      "--calibration", calibration.file,
      "gptq, smooth, awq, auto: text, or .jsonl of objects with \"text\" or \"messages\"; default: a novel's "
      "beginning");
  command.add_option("--calibration-sequences", calibration.sequences, "at most")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--calibration-length", calibration.length, "tokens of a sequence")
      ->check(CLI::Range(16, 131072))
      ->capture_default_str();
  command.add_option("--seed", arguments.seed, "of --rotate's signs")->capture_default_str();
}

void add_auto_options(CLI::App& command, QuantizeArguments& arguments) {
  auto& automatic = arguments.automatic;
  command.add_option("--budget", arguments.budget,
                     "auto: how large the checkpoint may be: 130MB, 1.5GiB, or 5.5bpw, bits per weight of "
                     "the layers' linears");
  command
      .add_option("--target-kl", arguments.target_kl,
                  "auto: how far its predictions may be from the float model's, in nats per token, measured "
                  "on weights rounded to nearest")
      ->check(CLI::PositiveNumber);
  command.add_option("--low", automatic.low, "auto: scheme of all linears but those that suffer most")
      ->capture_default_str();
  command.add_option("--high", automatic.high, "auto: scheme of those")->capture_default_str();
  command
      .add_option("--sensitivity-sequences", automatic.sequences,
                  "auto: of the calibration text that sensitivity is measured on")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command
      .add_option("--sensitivity", automatic.sensitivity,
                  "auto: sensitivity.json of an earlier run with the same options, in place of measuring")
      ->check(CLI::ExistingFile);
}

}  // namespace

void add_quantize_options(CLI::App& command, QuantizeArguments& arguments) {
  auto& options = arguments.options;
  command.add_option("--model-path", options.model_path, "float model: a Hugging Face directory")->required();
  command.add_option("--output,-o", options.output, "directory to write; created if absent")->required();
  command
      .add_option(
          "--scheme", options.scheme,
          "w8a8, w4a8, w4a4, w8a16, w4a16, w4a4-w8a8: w4a4 with o_proj and down_proj at w8a8; or auto: "
          "what each group of linears bears, within --budget or --target-kl")
      ->required();
  command
      .add_option("--format", options.format,
                  "of the checkpoint; modelslim: w8a8, w4a8, w4a4 and w4a4-w8a8, per channel, by any method, "
                  "without what happens while the model runs (--rotate online)")
      ->check(CLI::IsMember({"compressed-tensors", "modelslim"}))
      ->capture_default_str();
  add_method_options(command, arguments);
  add_auto_options(command, arguments);
  command.add_option(
      "--group-size", arguments.group_size,
      "input columns that share a scale: 32, 64, 128 or channel; default: channel for w8a8 and w4a4, "
      "else the largest that divides every width");
  command
      .add_option(
          "--activation-group", options.activation_group,
          "w4a4: columns of a token that share a scale, such as 32 (with --group-size 32); 0: all of them")
      ->check(CLI::IsMember({0, 32, 64, 128}))
      ->capture_default_str();
  command
      .add_option("--activation-clip", options.activation_clip,
                  "w4a4: the scale of 4-bit activations is this part of what reaches the largest; 0.8 is "
                  "good for rotated ones, per token. Engines other than this one read past it")
      ->check(CLI::Range(0.1, 1.))
      ->capture_default_str();
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

namespace {

Status set_automatic(const QuantizeArguments& arguments, compress::QuantizeOptions& options) {
  const bool asked = !arguments.budget.empty() || arguments.target_kl > 0;
  if (options.scheme != "auto") {
    if (asked || !arguments.automatic.sensitivity.empty())
      return invalid_argument("--budget, --target-kl or --sensitivity with --scheme={}, expected auto",
                              options.scheme);
    return {};
  }
  if (arguments.budget.empty() == (arguments.target_kl <= 0))
    return invalid_argument("--scheme=auto, expected one of --budget and --target-kl with it");
  options.automatic = arguments.automatic;
  if (!arguments.budget.empty()) options.automatic->budget = TRY(compress::parse_budget(arguments.budget));
  if (arguments.target_kl > 0) options.automatic->target_kl = arguments.target_kl;
  return {};
}

Result<compress::QuantizeOptions> options_of(const QuantizeArguments& arguments) {
  compress::QuantizeOptions options = arguments.options;
  if (!arguments.group_size.empty())
    options.group_size = TRY(compress::parse_group_size(arguments.group_size));
  if (!arguments.storage.empty()) options.storage = TRY(compress::parse_storage(arguments.storage));
  if (arguments.method == "gptq") options.method = compress::Method::kGptq;
  if (!options.needs_calibration() && options.scheme != "auto" && !options.calibration.file.empty()) {
    return invalid_argument(
        "--calibration={} with --method={}, expected gptq, --smooth, --awq or --scheme=auto",
        options.calibration.file, arguments.method);
  }
  options.int8_cache = arguments.kv_cache == "int8";
  if (arguments.clip == "mse") options.clip = quant::Clip::kLeastSquares;
  if (arguments.rotate != "none")
    options.rotate = {.seed = arguments.seed, .online = arguments.rotate == "online"};
  TRY_STATUS(set_automatic(arguments, options));
  return options;
}

void print_names(std::string_view reason, const std::vector<std::string>& names) {
  if (names.empty()) return;
  fmt::print("rounded to nearest, since {}: {}\n", reason, fmt::join(names, ", "));
}

void print_calibration(const compress::CalibrationSummary& seen) {
  fmt::print("calibrated on {} rows or more each\n", seen.least_rows);
  if (!seen.expert_rows.empty()) {
    std::vector<int64_t> rows = seen.expert_rows;
    std::ranges::sort(rows);
    fmt::print("experts saw {} to {} rows each, half of them {} or more; {} of {} saw none\n", rows.front(),
               rows.back(), rows[rows.size() / 2], std::ranges::count(rows, 0), rows.size());
  }
  print_names("nothing reached them", seen.unseen);
  print_names("their Hessian has no factor", seen.unfactored);
}

Status print_choice(const compress::AutoReport& choice, const std::string& output) {
  fmt::print("{}", compress::to_text(choice));
  const auto page = std::filesystem::path(output) / "sensitivity.html";
  TRY_STATUS(write_text_file(page, sensitivity_page(choice)));
  fmt::print(
      "KL {:.4f} (rounded to nearest, {} tokens) at {:.1f} MB; {} and sensitivity.json have the figures\n",
      choice.chosen.kl, choice.tokens, megabytes(choice.chosen.bytes), page.string());
  return {};
}

}  // namespace

Status run_quantize(const QuantizeArguments& arguments) {
  const compress::QuantizeOptions options = TRY(options_of(arguments));
  const auto summary = TRY(compress::quantize_directory(options));
  if (summary.choice) TRY_STATUS(print_choice(*summary.choice, options.output));
  fmt::print("{}: {} linears in {}, {:.1f} MB (were {:.1f} MB); {:.1f} MB in all, {}; {:.0f} MB of memory\n",
             options.output, summary.linears, fmt::join(summary.schemes, " and "),
             megabytes(summary.linear_bytes), megabytes(summary.source_linear_bytes),
             megabytes(summary.total_bytes), summary.format, megabytes(peak_resident_bytes()));
  if (options.method == compress::Method::kGptq) print_calibration(summary.calibration);
  return {};
}

}  // namespace tessera::cli
