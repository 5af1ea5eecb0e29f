// ThreadPool: the one pool of workers that kernels run on. The caller is worker 0.
//
//   pool.parallel_for(tasks, [&](size_t task) { ... });        // each task once, handed out by a counter
//   pool.run([&](int worker, int workers) { ... });            // once on every worker, all at the same time
//
// parallel_for() waits only for workers that took part: a worker that sleeps, or whose CPU another process
// has, is not waited for, the others do its tasks. Between jobs workers spin for a moment (a step of a small
// model has ~200 barriers, waking a sleeper costs ~5 us) and then sleep, so an idle pool costs nothing.
// docs/decisions/0005-thread-pool.md has the figures, against OpenMP.
//
// One caller at a time: the engine thread, or a tool's main thread. Not reentrant.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/event_count.h"
#include "base/topology.h"

namespace tessera {

struct ThreadPoolOptions {
  int threads = 1;  // >= 1, the caller included
  /// How long an idle worker, or a caller whose workers are not done, spins before it sleeps. 0 when there
  /// are more threads than CPUs allowed: who spins then keeps another worker from running.
  std::chrono::microseconds spin{50};
  /// Workers 1.. stay on a core of their own when the pool has as many threads as there are cores. A smaller
  /// pool is left to the system, so that two programs that share a machine do not choose the same cores.
  bool pin = true;
};

class ThreadPool {
 public:
  explicit ThreadPool(const ThreadPoolOptions& options);
  explicit ThreadPool(int threads) : ThreadPool(ThreadPoolOptions{.threads = threads}) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(worker, size()) once on every worker and returns when all are done. For measurements of the
  /// machine; ops use parallel_for().
  template <class Body>
  void run(const Body& body) {
    run_job({[](const void* b, int worker, int workers) { (*static_cast<const Body*>(b))(worker, workers); },
             &body, true});
  }

  /// Calls body(task) for every task in [0, tasks), each once, in any order, on all workers.
  template <class Body>
  void parallel_for(size_t tasks, const Body& body) {
    if (tasks <= 1 || workers_.empty()) {
      for (size_t task = 0; task < tasks; ++task)
        body(task);
      return;
    }
    next_task_.store(0, std::memory_order_relaxed);
    const auto take_tasks = [&](int, int) {
      for (size_t task; (task = next_task_.fetch_add(1, std::memory_order_relaxed)) < tasks;)
        body(task);
    };
    run_job({[](const void* b, int worker, int workers) {
               (*static_cast<const decltype(take_tasks)*>(b))(worker, workers);
             },
             &take_tasks, false});
  }

 private:
  struct Job {
    void (*call)(const void* body, int worker, int workers) = nullptr;
    const void* body = nullptr;
    bool everyone = false;  // not done before every worker has called
  };

  // state_ is one word, so that joining a job and seeing that it is open are one step:
  // bits 0..15 workers inside, bit 16 a job is open, bits 17.. number of the job. job_ is written while none
  // is open and none inside, and read by those inside of an open one.
  static constexpr uint64_t kOneInside = 1, kInsideMask = 0xffff, kOpen = 1 << 16, kOneJob = 1 << 17;
  static constexpr uint64_t number_of(uint64_t state) { return state / kOneJob; }

  void run_job(const Job& job);
  void work(int worker);
  void join(uint64_t& done, int worker);
  template <class Ready>
  bool spin(const Ready& ready) const;
  template <class Ready>
  void wait_inside(const Ready& ready);

  std::vector<std::thread> workers_;
  std::chrono::microseconds spin_time_{0};
  alignas(64) std::atomic<uint64_t> state_{0};
  Job job_;                                  // beside state_: who joins needs both
  alignas(64) std::atomic<int> arrived_{0};  // workers that are through with an `everyone` job
  alignas(64) std::atomic<size_t> next_task_{0};
  alignas(64) EventCount new_job_;
  EventCount nobody_inside_;
  std::atomic<bool> stop_{false};
};

}  // namespace tessera
