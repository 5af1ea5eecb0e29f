// What huge pages give to decoding: one row times 256 MB of weights (more than any cache holds), the weights
// on 2 MiB pages (AlignedBuffer) and on 4 KiB pages, interleaved. Prints the rates and the median of the
// ratios.
//
//   huge_pages_bench [threads] [rounds]
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/gemm_s8/gemm_s8.h"

namespace tessera::ops {
namespace {

constexpr int64_t kBytes = int64_t{256} << 20, kIn = 4096;

/// The same bytes on small pages. Lives until the program ends.
std::byte* small_pages(size_t bytes) {
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) std::exit(1);
  madvise(mapped, bytes, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(mapped);
}

class Product {
 public:
  explicit Product(int bits) : bits_(bits), out_(kBytes * 8 / bits / kIn) {
    codes_.assign(kIn, 1);
    sums_.assign(kIn / kernels::kSumBlock, 32);
    scales_.assign(static_cast<size_t>(out_), 1.0F);
    y_.resize(static_cast<size_t>(out_));
  }

  double bytes_per_s(const std::byte* tiles, ThreadPool& pool) {
    const int64_t panels = kernels::panels(out_), tasks = int64_t{16} * pool.size();
    const auto begin = std::chrono::steady_clock::now();
    pool.parallel_for(static_cast<size_t>(tasks), [&](size_t task) {
      const auto index = static_cast<int64_t>(task);
      kernels::gemm_s8({.x = {.codes = codes_.data(),
                              .codes_stride = kIn,
                              .scales = &scale_,
                              .block_sums = sums_.data(),
                              .sums_stride = kIn / kernels::kSumBlock},
                        .w = {.tiles = reinterpret_cast<const uint8_t*>(tiles),
                              .scales = scales_.data(),
                              .n = out_,
                              .k = kIn,
                              .bits = bits_},
                        .y = y_.data(),
                        .y_stride = out_,
                        .row_begin = 0,
                        .row_end = 1,
                        .panel_begin = panels * index / tasks,
                        .panel_end = panels * (index + 1) / tasks});
    });
    return static_cast<double>(kBytes) /
           std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  int bits_;
  int64_t out_;
  float scale_ = 1;
  std::vector<int8_t> codes_;
  std::vector<int32_t> sums_;
  std::vector<float> scales_, y_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure(int bits, const std::byte* huge, const std::byte* small, ThreadPool& pool, int rounds) {
  Product product(bits);
  std::vector<double> with, without, ratios;
  for (int round = 0; round < rounds; ++round) {
    with.push_back(product.bytes_per_s(huge, pool));
    without.push_back(product.bytes_per_s(small, pool));
    ratios.push_back(with.back() / without.back());
  }
  std::ranges::sort(ratios);
  std::printf(
      "%d-bit weights: 2 MiB pages %.1f GB/s, 4 KiB pages %.1f GB/s, ratio %.3f (quartiles %.3f to %.3f)\n",
      bits, median(with) / 1e9, median(without) / 1e9, median(ratios), ratios[ratios.size() / 4],
      ratios[ratios.size() * 3 / 4]);
}

int run(int argc, char** argv) {
  ThreadPool pool(argc > 1 ? std::max(1, std::atoi(argv[1])) : default_thread_count());
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 21;
  AlignedBuffer huge(kBytes);
  std::byte* small = small_pages(kBytes);
  std::memset(huge.data(), 0x87, kBytes);
  std::memset(small, 0x87, kBytes);
  for (const int bits : {4, 8})
    measure(bits, huge.data(), small, pool, rounds);
  return 0;
}

}  // namespace
}  // namespace tessera::ops

int main(int argc, char** argv) {
  return tessera::ops::run(argc, argv);
}
