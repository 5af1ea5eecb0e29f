// ThreadPool: the one pool of pinned workers that kernels run on. The caller is worker 0. Between jobs
// workers spin for a moment (a step of a small model has ~100 barriers, a futex wake costs ~5 us each) and
// then sleep.
//
//   pool.run([&](int worker, int workers) { ... });            // once on every worker
//   pool.parallel_for(tasks, [&](size_t task) { ... });        // each task once, handed out by a counter
//
// One caller at a time: the engine thread, or a tool's main thread. Not reentrant.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace tessera {

class ThreadPool {
 public:
  /// `threads` >= 1 workers, the caller included. Workers are pinned to the CPUs this process may use when
  /// there are at least that many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(worker, size()) once on every worker and returns when all are done.
  template <class Body>
  void run(const Body& body) {
    run_erased(
        [](const void* b, int worker, int workers) { (*static_cast<const Body*>(b))(worker, workers); },
        &body);
  }

  /// Calls body(task) for every task in [0, tasks), each once, in any order, on all workers.
  template <class Body>
  void parallel_for(size_t tasks, const Body& body) {
    if (tasks == 0) return;
    if (tasks == 1 || size() == 1) {
      for (size_t task = 0; task < tasks; ++task)
        body(task);
      return;
    }
    next_task_.store(0, std::memory_order_relaxed);
    run([&](int, int) {
      for (size_t task; (task = next_task_.fetch_add(1, std::memory_order_relaxed)) < tasks;)
        body(task);
    });
  }

 private:
  using Erased = void (*)(const void* body, int worker, int workers);
  void run_erased(Erased call, const void* body);
  void work(int worker);

  std::vector<std::thread> workers_;
  Erased call_ = nullptr;
  const void* body_ = nullptr;
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<int> running_{0};
  alignas(64) std::atomic<size_t> next_task_{0};
  std::atomic<bool> stop_{false};
};

/// Physical cores this process may use (affinity mask and cgroup CPU quota respected), at least 1.
int default_thread_count();

}  // namespace tessera
