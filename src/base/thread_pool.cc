#include "base/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <string>

#include "base/check.h"

namespace tessera {
namespace {

// ~50 us of pauses on 3 GHz machines: longer than the serial gaps inside a step, far shorter than idle times.
constexpr int kSpins = 2000;

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void pin_to(std::thread& thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);
}

std::string first_line(const std::string& path) {
  std::string line;
  if (FILE* file = std::fopen(path.c_str(), "r")) {
    for (int c; (c = std::fgetc(file)) != EOF && c != '\n';)
      line.push_back(static_cast<char>(c));
    std::fclose(file);
  }
  return line;
}

/// CPUs granted by cgroup v2 cpu.max ("max 100000" or "150000 100000"), or `fallback`.
int cgroup_cpus(int fallback) {
  const std::string line = first_line("/sys/fs/cgroup/cpu.max");
  double quota_us = 0, period_us = 0;
  if (std::sscanf(line.c_str(), "%lf %lf", &quota_us, &period_us) != 2 || period_us <= 0) return fallback;
  return std::max(1, static_cast<int>(std::ceil(quota_us / period_us)));
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  CHECK(threads >= 1, "threads={}", threads);
  const std::vector<int> cpus = allowed_cpus();
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
    if (static_cast<int>(cpus.size()) >= threads) pin_to(workers_.back(), cpus[worker]);
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (auto& worker : workers_)
    worker.join();
}

void ThreadPool::run_erased(Erased call, const void* body) {
  call_ = call;
  body_ = body;
  running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  call(body, 0, size());
  for (int spin = 0; running_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();  // oversubscribed machines: let the worker run
    }
  }
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  while (true) {
    uint32_t epoch = epoch_.load(std::memory_order_acquire);
    for (int spin = 0; epoch == seen && spin < kSpins; ++spin) {
      _mm_pause();
      epoch = epoch_.load(std::memory_order_acquire);
    }
    while (epoch == seen) {
      epoch_.wait(seen, std::memory_order_acquire);
      epoch = epoch_.load(std::memory_order_acquire);
    }
    seen = epoch;
    if (stop_.load(std::memory_order_relaxed)) return;
    call_(body_, worker, size());
    running_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

int default_thread_count() {
  // Physical cores: count distinct (package, core) pairs, since a second hyperthread adds nothing to VNNI
  // loops.
  std::set<std::string> cores;
  for (const int cpu : allowed_cpus()) {
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const std::string core =
        first_line(topology + "physical_package_id") + ":" + first_line(topology + "core_id");
    cores.insert(core == ":" ? std::to_string(cpu) : core);
  }
  const int physical = std::max(1, static_cast<int>(cores.size()));
  return std::min(physical, cgroup_cpus(physical));
}

}  // namespace tessera
