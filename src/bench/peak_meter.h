// PeakMeter: what this machine multiplies and reads at most on the threads of one pool, in runs of a few
// milliseconds, so that a measurement can take one before each of its own runs: on a machine with neighbours
// only such a ratio means anything. One caller at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/peak_loops/peak_loops.h"
#include "quant/scheme.h"

namespace tessera::bench {

struct CacheSizes {
  int64_t l2_bytes = 0;  // of one core
  int64_t l3_bytes = 0;  // of the package; 0: there is none
};
/// As the system says it; 1 MiB and 32 MiB where it says nothing.
CacheSizes cache_sizes();

enum class MemoryLevel : uint8_t { kL2, kL3, kDram };
std::string_view name_of(MemoryLevel level);

class PeakMeter {
 public:
  /// `pool` outlives this.
  explicit PeakMeter(ThreadPool& pool);

  /// Multiply-adds per second of `loop` on all threads at once. The CPU has loop.isa.
  double macs_per_second(const kernels::PeakLoop& loop);
  /// Bytes per second that all threads together read from memory that no cache holds.
  double dram_bytes_per_second();
  /// The same from half of the last-level cache, and from half of each core's second level.
  double l3_bytes_per_second();
  double l2_bytes_per_second();
  double bytes_per_second(MemoryLevel level);
  /// The level that holds `bytes` which all threads share.
  MemoryLevel level_of(double bytes) const;

 private:
  double read(int64_t first, int64_t bytes, int repeats);
  ThreadPool& pool_;
  CacheSizes caches_;
  AlignedBuffer memory_;  // many times the caches
  int64_t next_ = 0;      // of memory_, for DRAM: no byte is read twice within a round
};

/// The loop that bounds linears of `scheme` on `isa`: integer products if its activations are integers, else
/// bf16 or float32 ones. Null for the scalar reference, which nobody compares to a peak.
const kernels::PeakLoop* bounding_loop(const quant::LinearScheme& scheme, Isa isa);
/// By name; null when there is none.
const kernels::PeakLoop* find_loop(std::string_view name);

}  // namespace tessera::bench
