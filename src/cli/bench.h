// `tessera bench`: measures this machine, the kernels on it, and whole models.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/result.h"
#include "bench/kernels.h"
#include "bench/latency.h"

namespace tessera::cli {

struct BenchArguments {
  bench::KernelOptions kernels;
  bench::LatencyOptions latency;
  bool json = false;
  std::function<Status(const BenchArguments&)> run;  // of the subcommand that was given
};

void add_bench_options(CLI::App& command, BenchArguments& arguments);
Status run_bench(const BenchArguments& arguments);

}  // namespace tessera::cli
