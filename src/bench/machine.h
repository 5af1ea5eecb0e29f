// Machine: the processor and its peaks at 1 to N threads, for the head of every measurement. A value.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/isa.h"
#include "bench/sample.h"

namespace tessera::bench {

struct PeaksAt {
  int threads = 1;
  /// JSON key ("vpdpbusd_gmacs", "dram_gbs") and what was measured, in GMAC/s or GB/s.
  std::vector<std::pair<std::string, Sample>> values;

  /// Median; 0 when there is no such key.
  double median(std::string_view key) const;
};

struct Machine {
  std::string cpu, isa;
  int threads = 1;
  std::vector<PeaksAt> peaks;  // ascending; the last is at `threads`

  const PeaksAt& peak() const { return peaks.back(); }
};

/// Measures every peak that the CPU has `repeats` times, interleaved, at 1, 2, 4 ... threads and `threads`:
/// some 0.1 s per repeat and step.
Machine measure_machine(int threads, int repeats);

/// {cpu, isa, threads, system, tessera, compiler, peaks: {vpdpbusd_gmacs, ...}, peaks_by_threads: [{threads,
/// ...}]}
nlohmann::ordered_json to_json(const Machine& machine);
/// A few lines for people.
std::string to_text(const Machine& machine);

}  // namespace tessera::bench
