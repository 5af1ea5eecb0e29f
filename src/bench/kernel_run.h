// KernelRun: one thing to measure, made ready: operands in memory, run() does the work once, as a model does
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "bench/onednn.h"
#include "kernels/peak_loops/peak_loops.h"

namespace tessera::bench {

/// Weights and caches take turns with copies of themselves, so many times the last-level cache together that
/// it holds none of them when its turn comes: between two uses of a layer a model reads all others. Twice
/// would not do: caches keep part of what is read in a circle.
inline constexpr int64_t kCopiesOfCache = 4;

class KernelRun {
 public:
  virtual ~KernelRun() = default;
  virtual Status run() = 0;

  double macs = 0;           // multiply-adds of one run
  double bytes = 0;          // that one run reads from memory, at least
  bool from_caches = false;  // `bytes` are read and written where they last were, not in memory
  const kernels::PeakLoop* loop = nullptr;  // bounds the multiply-adds; null: none does
  std::string detail;                       // kernel and instruction set: "gemm_s8/avx512"
};

struct KernelCase {
  std::string kernel, name, scheme, layout;
  int64_t m = 0, n = 0, k = 0;
  bool selected = false;  // measured without --all
  /// kUnsupported when no kernel runs it. Operands are shared among cases that follow one another.
  std::function<Result<std::unique_ptr<KernelRun>>(ThreadPool&)> make;
  /// The same product by oneDNN; empty when it has none.
  std::function<Result<std::unique_ptr<OneDnn::Matmul>>(OneDnn&)> make_onednn;

  /// "linear/w4a8/nz/qwen3-0.6b.down/m512": what --case is matched with.
  std::string id() const;
};

/// Every linear of src/kernels/gemm_s8/cases.txt in every scheme, layout and number of rows.
std::vector<KernelCase> linear_cases();
/// Every head layout of src/kernels/attention/cases.txt: prompts and decoding.
std::vector<KernelCase> attention_cases();
/// A layer with experts of Qwen3-30B-A3B: a prompt and decoding.
std::vector<KernelCase> moe_cases();
/// The kernels between the products, on rows as wide as in Qwen3-0.6B and 8B.
std::vector<KernelCase> row_cases();

}  // namespace tessera::bench
