// `tessera quantize --model-path DIR --output DIR --scheme S`: options and action.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "compress/quantize_plan.h"

namespace tessera::cli {

struct QuantizeArguments {
  compress::QuantizeOptions options;  // all but what the texts below say
  std::string method = "rtn", rotate = "none", clip = "none", kv_cache = "none";
  uint64_t seed = 0;
  std::string group_size, storage;  // empty: the scheme's default
  compress::AutoOptions automatic;  // all but what the next two say
  std::string budget;
  double target_kl = 0;
};

/// Adds every option to `command`; values land in `arguments`, which outlives the parse.
void add_quantize_options(CLI::App& command, QuantizeArguments& arguments);

/// Quantizes, and prints what came of it on stdout.
Status run_quantize(const QuantizeArguments& arguments);

}  // namespace tessera::cli
