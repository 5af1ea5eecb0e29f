// `tessera bench kernels`: kernels on the shapes of published models, each as a fraction of what bounds it
// here.
//
// A case is measured in rounds: a short run of the peak that bounds it, some runs of the kernel, some of
// oneDNN's on the same shape. Ratios are formed within a round; told are medians over the rounds. What bounds
// a case is whichever takes longer at full speed: its multiply-adds, or reading its weights (or cached keys)
// from memory.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/machine.h"
#include "bench/sample.h"

namespace tessera::bench {

struct KernelOptions {
  int threads = 0;      // 0: all cores
  std::string pattern;  // a regular expression that is found in a case's id; empty: the selected ones
  bool all = false;
  double seconds = 0.3;  // per case, about
};

struct KernelResult {
  std::string kernel, name, scheme, layout, detail, bound;  // bound: the loop's name, or "dram"
  int64_t m = 0, n = 0, k = 0;
  std::string skipped;  // why; empty: it ran
  Sample gmacs, gbs, fraction_of_peak, ratio_to_onednn;
};

struct KernelReport {
  Machine machine;
  double seconds = 0;  // per case, about
  std::string onednn;  // empty, or why there are no ratios
  std::vector<KernelResult> results;
};

/// `on_result` is called after every case, with the report so far. kInvalidArgument for a bad pattern, or one
/// that matches nothing.
Result<KernelReport> measure_kernels(const KernelOptions& options,
                                     const std::function<void(const KernelReport&)>& on_result);

/// DESIGN section 2, `bench kernels --json`.
nlohmann::ordered_json to_json(const KernelReport& report);
std::string head_text(const KernelReport& report);
std::string line_text(const KernelResult& result);

}  // namespace tessera::bench
