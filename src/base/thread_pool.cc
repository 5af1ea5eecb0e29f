#include "base/thread_pool.h"

#include <immintrin.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tessera {
namespace {

void pin_to(std::thread& thread, const CoreCpus& core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : core) {
    if (cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &set);
  }
  // Refused (a cpuset that shrank): the worker then runs wherever the system puts it.
  if (CPU_COUNT(&set) > 0) pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);
}

/// How many threads can run at the same time.
size_t usable_cpus(const std::vector<CoreCpus>& cores) {
  size_t cpus = 0;
  for (const CoreCpus& core : cores)
    cpus += core.size();
  const double quota = cgroup_cpu_quota();
  return quota > 0 ? std::min(cpus, static_cast<size_t>(std::ceil(quota))) : cpus;
}

}  // namespace

ThreadPool::ThreadPool(const ThreadPoolOptions& options) {
  CHECK(options.threads >= 1 && options.threads <= static_cast<int>(kInsideMask), "threads={}",
        options.threads);
  if (options.threads == 1) return;  // nobody to place or to wait for: made by the thousand while loading
  const std::vector<CoreCpus> cores = allowed_cores();
  const auto threads = static_cast<size_t>(options.threads);
  if (threads <= usable_cpus(cores)) spin_time_ = options.spin;
  for (int worker = 1; worker < options.threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
    if (options.pin && threads == cores.size()) pin_to(workers_.back(), cores[static_cast<size_t>(worker)]);
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  new_job_.wake_all();
  for (auto& worker : workers_)
    worker.join();
}

/// True as soon as ready(), false when the time is over.
template <class Ready>
bool ThreadPool::spin(const Ready& ready) const {
  using Clock = std::chrono::steady_clock;
  constexpr int kPausesPerLook = 32;  // the clock costs as much as some pauses
  if (ready()) return true;
  if (spin_time_.count() == 0) return false;
  const Clock::time_point end = Clock::now() + spin_time_;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      _mm_pause();
      if (ready()) return true;
    }
  } while (Clock::now() < end);
  return false;
}

template <class Ready>
void ThreadPool::wait_inside(const Ready& ready) {
  if (!spin(ready)) nobody_inside_.wait(ready);
}

void ThreadPool::run_job(const Job& job) {
  // Workers may still pass through on their way to seeing that the last job is over; they do not look at
  // job_.
  job_ = job;
  arrived_.store(0, std::memory_order_relaxed);
  state_.fetch_add(kOneJob + kOpen);
  new_job_.wake_all();
  job.call(job.body, 0, size());
  if (job.everyone) {
    wait_inside([&] { return arrived_.load() == size() - 1; });
  }
  state_.fetch_sub(kOpen);
  wait_inside([&] { return (state_.load() & kInsideMask) == 0; });
}

/// Takes part in the open job if there is one after `done`.
void ThreadPool::join(uint64_t& done, int worker) {
  const uint64_t state = state_.fetch_add(kOneInside);
  if ((state & kOpen) != 0 && number_of(state) != done) {
    done = number_of(state);
    job_.call(job_.body, worker, size());
    if (job_.everyone) arrived_.fetch_add(1);
  }
  // Whoever leaves last wakes the caller; all that arrived have yet to leave.
  const uint64_t before = state_.fetch_sub(kOneInside);
  if ((before & kInsideMask) == kOneInside) nobody_inside_.wake_all();
}

void ThreadPool::work(int worker) {
  uint64_t done = 0;
  while (!stop_.load()) {
    const uint64_t latest = number_of(state_.load());
    const auto open = [&] {
      const uint64_t state = state_.load();
      return ((state & kOpen) != 0 && number_of(state) != done) || stop_.load();
    };
    if (spin(open)) {
      join(done, worker);
    } else {
      // Woken by a job that is over by now, it spins again: where there was one there will be more.
      new_job_.wait([&] { return number_of(state_.load()) != latest || stop_.load(); });
    }
  }
}

}  // namespace tessera
