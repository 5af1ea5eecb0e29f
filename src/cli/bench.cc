#include "cli/bench.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/bench_serving.h"
#include "cli/trace_option.h"

namespace tessera::cli {
namespace {

Status run_latency(const BenchArguments& arguments) {
  const auto timeline = TRY(start_trace(arguments.trace));
  bool first = true;
  const auto report = TRY(bench::measure_latency(arguments.latency, [&](const bench::LatencyReport& so_far) {
    if (arguments.json) return;
    fmt::print("{}{}", first ? bench::head_text(so_far) : "", bench::line_text(so_far.runs.back()));
    std::fflush(stdout);
    first = false;
  }));
  if (arguments.json) fmt::print("{}\n", bench::to_json(report).dump(2));
  return {};
}

void add_latency(CLI::App& command, BenchArguments& arguments) {
  CLI::App* latency =
      command.add_subcommand("latency", "prefill and decode of a whole model, without its weights");
  latency->footer("Example:\n  tessera bench latency --config bench/configs/qwen3-0.6b.json --scheme w4a8");
  bench::LatencyOptions& options = arguments.latency;
  latency->add_option("--config", options.config, "config.json of the model")->required();
  latency->add_option("--load-format", "dummy: weights that nobody trained, the only ones for now")
      ->check(CLI::IsMember({"dummy"}));
  latency->add_option("--scheme", options.scheme, "bf16, w8a8, w4a8, w4a4-g128, w4a16-g32, w4a4-w8a8 ...")
      ->capture_default_str();
  latency
      ->add_option("--lm-head", options.head,
                   "scheme of the output head; none: bf16, and tied if the config says so")
      ->capture_default_str();
  latency
      ->add_option("--weight-layout", options.layout, "tiles as kernels walk them, or rows as in checkpoints")
      ->check(CLI::IsMember({"nz", "nd"}))
      ->capture_default_str();
  latency->add_option("--dtype", options.dtype, "of float weights")
      ->check(CLI::IsMember({"auto", "bfloat16", "float32"}))
      ->capture_default_str();
  latency->add_option("--kv-cache-dtype", options.kv_cache_dtype, "of the KV cache; auto: as --dtype")
      ->check(CLI::IsMember({"auto", "bf16", "int8"}))
      ->capture_default_str();
  latency->add_option("--batch", options.batches, "sequences, such as 1,4,16,64")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  latency->add_option("--prompt", options.prompts, "tokens, such as 512,2048")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20));
  latency->add_option("--decode", options.decode, "tokens after the prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  latency->add_option("--layers", options.layers, "fewer layers than the config says")
      ->check(CLI::Range(1, 4096));
  latency->add_option("--threads", options.threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  latency->add_option("--seconds", options.seconds, "of prefill and of decode per line of the table, about")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  add_trace(*latency, arguments.trace);
  latency->add_flag("--json", arguments.json, "for programs");
  latency->callback([&arguments] { arguments.run = run_latency; });
}

Status run_kernels(const BenchArguments& arguments) {
  bool first = true;
  const auto report = TRY(bench::measure_kernels(arguments.kernels, [&](const bench::KernelReport& so_far) {
    if (arguments.json) return;
    fmt::print("{}{}", first ? bench::head_text(so_far) : "", bench::line_text(so_far.results.back()));
    std::fflush(stdout);
    first = false;
  }));
  if (arguments.json) fmt::print("{}\n", bench::to_json(report).dump(2));
  return {};
}

void add_kernels(CLI::App& command, BenchArguments& arguments) {
  CLI::App* kernels =
      command.add_subcommand("kernels", "this machine's peaks, and kernels as fractions of them");
  kernels->footer("Example:\n  tessera bench kernels --case 'linear/w4a8.*/nz/qwen3-0.6b.*/m(1|512)$'");
  bench::KernelOptions& options = arguments.kernels;
  kernels
      ->add_option_function<std::string>(
          "--isa", [](const std::string& name) { setenv("TESSERA_ISA", name.c_str(), 1); },
          "scalar, avx2, avx512 or avx512bf16 (default: the best this CPU has)")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "avx512bf16"}));
  kernels->add_option("--threads", options.threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  kernels->add_option("--case", options.pattern,
                      "regular expression found in KERNEL/SCHEME/LAYOUT/MODEL.LINEAR/mROWS");
  kernels->add_flag("--all", options.all, "every case: takes the better part of an hour");
  kernels->add_option("--seconds", options.seconds, "per case, about")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  kernels->add_flag("--json", arguments.json, "for programs");
  kernels->callback([&arguments] { arguments.run = run_kernels; });
}

void add_serving(CLI::App& command, BenchArguments& arguments) {
  CLI::App* serving = command.add_subcommand(
      "serving", "load for a running server, and how it bore it: SGLang's bench_serving");
  add_serving_options(*serving, arguments.serving);
  serving->callback([&arguments] {
    arguments.run = [](const BenchArguments& chosen) { return run_serving(chosen.serving); };
  });
}

}  // namespace

void add_bench_options(CLI::App& command, BenchArguments& arguments) {
  command.require_subcommand(1);
  add_kernels(command, arguments);
  add_latency(command, arguments);
  add_serving(command, arguments);
  add_bench_report(command, arguments);
}

Status run_bench(const BenchArguments& arguments) {
  return arguments.run(arguments);
}

}  // namespace tessera::cli
