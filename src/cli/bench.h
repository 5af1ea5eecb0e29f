// `tessera bench`: measures this machine, the kernels on it, whole models, and servers.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "bench/kernels.h"
#include "bench/latency.h"
#include "bench/serving/serving.h"

namespace tessera::cli {

struct BenchArguments {
  bench::KernelOptions kernels;
  bench::LatencyOptions latency;
  bench::serving::ServingOptions serving;
  std::string trace;  // of latency: a file to write
  std::string report_directory, report_output;
  bool json = false;
  std::function<Status(const BenchArguments&)> run;  // of the subcommand that was given
};

/// `bench report`, in a file of its own.
void add_bench_report(CLI::App& command, BenchArguments& arguments);

void add_bench_options(CLI::App& command, BenchArguments& arguments);
Status run_bench(const BenchArguments& arguments);

}  // namespace tessera::cli
