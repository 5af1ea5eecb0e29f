#include "bench/peak_meter.h"

#include <unistd.h>

#include <algorithm>

#include "bench/sample.h"

namespace tessera::bench {
namespace {

constexpr int64_t kMinMemory = int64_t{256} << 20;
constexpr int64_t kDramRun = int64_t{32} << 20;  // 1 ms at 30 GB/s
constexpr int64_t kMaxRun = int64_t{1} << 30;
constexpr double kLoopSeconds = 0.0015;  // of a loop of multiplications
// A peak is what can be had: the best of some runs, each shorter than a neighbour's slice of time.
constexpr int kAttempts = 4;
constexpr int64_t kCacheRun = int64_t{128} << 20;
constexpr int64_t kPrefetch = 4096;  // as far ahead as the kernels' own

int64_t size_or(int name, int64_t fallback) {
  const long size = sysconf(name);
  return size > 0 ? size : fallback;
}

int64_t round_down(int64_t bytes) {
  return bytes / kernels::kReadBlock * kernels::kReadBlock;
}

}  // namespace

CacheSizes cache_sizes() {
  return {.l2_bytes = size_or(_SC_LEVEL2_CACHE_SIZE, int64_t{1} << 20),
          .l3_bytes = size_or(_SC_LEVEL3_CACHE_SIZE, int64_t{32} << 20)};
}

PeakMeter::PeakMeter(ThreadPool& pool)
    : pool_(pool),
      caches_(cache_sizes()),
      memory_(static_cast<size_t>(std::clamp(8 * caches_.l3_bytes, kMinMemory, kMaxRun))) {
  // Written, or every page would be the one page of zeros.
  const auto size = static_cast<int64_t>(memory_.size());
  pool_.run([&](int worker, int workers) {
    const int64_t begin = size * worker / workers, end = size * (worker + 1) / workers;
    std::fill_n(memory_.as<uint8_t>() + begin, end - begin, uint8_t{1});
  });
}

double PeakMeter::macs_per_second(const kernels::PeakLoop& loop) {
  const auto run = [&](int64_t turns) {
    return seconds_of([&] { pool_.run([&](int, int) { loop.run(turns); }); });
  };
  // The first runs wake the threads and tell how many turns fill the time.
  int64_t turns = 20'000;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const double seconds = run(turns);
    if (seconds >= kLoopSeconds / 2) break;
    turns = static_cast<int64_t>(static_cast<double>(turns) * std::min(kLoopSeconds / seconds, 64.0));
  }
  double least = run(turns);
  for (int i = 1; i < kAttempts; ++i)
    least = std::min(least, run(turns));
  return static_cast<double>(loop.macs * turns * pool_.size()) / least;
}

/// Every worker reads its part of [first, first + bytes) `repeats` times.
double PeakMeter::read(int64_t first, int64_t bytes, int repeats) {
  const uint8_t* from = memory_.as<uint8_t>() + first;
  const int64_t part = round_down(bytes / pool_.size());
  pool_.run([](int, int) {});  // wakes them
  const double seconds = seconds_of([&] {
    pool_.run([&](int worker, int) {
      for (int i = 0; i < repeats; ++i)
        kernels::read_memory(from + worker * part, part, kPrefetch);
    });
  });
  return static_cast<double>(part * pool_.size() * repeats) / seconds;
}

double PeakMeter::dram_bytes_per_second() {
  double best = 0;
  for (int i = 0; i < kAttempts; ++i) {
    if (next_ + kDramRun > static_cast<int64_t>(memory_.size())) next_ = 0;
    best = std::max(best, read(next_, kDramRun, 1));
    next_ += kDramRun;
  }
  return best;
}

double PeakMeter::l3_bytes_per_second() {
  const int64_t bytes = caches_.l3_bytes / 2;
  read(0, bytes, 1);
  return read(0, bytes, static_cast<int>(std::max<int64_t>(1, kCacheRun / std::max<int64_t>(bytes, 1))));
}

double PeakMeter::l2_bytes_per_second() {
  const int64_t bytes = caches_.l2_bytes / 2 * pool_.size();
  read(0, bytes, 1);
  return read(0, bytes, static_cast<int>(4 * kCacheRun / bytes));
}

std::string_view name_of(MemoryLevel level) {
  switch (level) {
    case MemoryLevel::kL2:
      return "l2";
    case MemoryLevel::kL3:
      return "l3";
    case MemoryLevel::kDram:
      return "dram";
  }
  return "";
}

double PeakMeter::bytes_per_second(MemoryLevel level) {
  switch (level) {
    case MemoryLevel::kL2:
      return l2_bytes_per_second();
    case MemoryLevel::kL3:
      return l3_bytes_per_second();
    case MemoryLevel::kDram:
      break;
  }
  return dram_bytes_per_second();
}

MemoryLevel PeakMeter::level_of(double bytes) const {
  if (bytes <= static_cast<double>(caches_.l2_bytes * pool_.size())) return MemoryLevel::kL2;
  return bytes <= static_cast<double>(caches_.l3_bytes) ? MemoryLevel::kL3 : MemoryLevel::kDram;
}

const kernels::PeakLoop* find_loop(std::string_view name) {
  for (const kernels::PeakLoop& loop : kernels::peak_loops()) {
    if (loop.name == name) return &loop;
  }
  return nullptr;
}

const kernels::PeakLoop* bounding_loop(const quant::LinearScheme& scheme, Isa isa) {
  if (isa == Isa::kScalar) return nullptr;
  if (scheme.weight.bits < 16 && scheme.activation.bits < 16) {
    if (isa >= Isa::kAvx512) return find_loop("vpdpbusd");
    // Products of 4-bit weights can be summed in 16 bits, with 8-bit activations a few of them.
    return find_loop(scheme.weight.bits == 4 ? "avx2_int4" : "avx2_int8");
  }
  if (scheme.weight.bits == 32 || isa < Isa::kAvx512Bf16) {
    return find_loop(isa >= Isa::kAvx512 ? "fma" : "fma_avx2");
  }
  return find_loop("vdpbf16ps");
}

}  // namespace tessera::bench
