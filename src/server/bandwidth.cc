#include "server/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace tessera::server {
namespace {

constexpr size_t kWords = size_t{16} << 20;  // 128 MiB
constexpr int kRounds = 4;

// Eight sums, so that the additions do not wait for each other.
uint64_t sum(const uint64_t* words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t at = 0; at + 8 <= count; at += 8) {
    for (size_t lane = 0; lane < 8; ++lane)
      sums[lane] += words[at + lane];
  }
  uint64_t total = 0;
  for (const uint64_t one : sums)
    total += one;
  return total;
}

}  // namespace

double measure_read_bandwidth(ThreadPool& pool) {
  const std::vector<uint64_t> words(kWords, 1);
  std::atomic<uint64_t> total{0};  // used below, so that the reads are not optimised away
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    pool.run([&](int worker, int workers) {
      const size_t begin = kWords * static_cast<size_t>(worker) / static_cast<size_t>(workers);
      const size_t end = kWords * static_cast<size_t>(worker + 1) / static_cast<size_t>(workers);
      total.fetch_add(sum(words.data() + begin, end - begin));
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(kWords * sizeof(uint64_t)) / took.count());
  }
  return total.load() > 0 ? best : 0;
}

}  // namespace tessera::server
