// `tessera bench serving`: the options of src/bench/serving, named as in SGLang's bench_serving.
#pragma once

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "bench/serving/serving.h"

namespace tessera::cli {

void add_serving_options(CLI::App& command, bench::serving::ServingOptions& options);
Status run_serving(const bench::serving::ServingOptions& options);

}  // namespace tessera::cli
