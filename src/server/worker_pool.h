// A few threads for work that takes longer than an I/O thread may be held: tokenizing, chat templates.
// Bounded: when too much waits, the caller says so to the client. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tessera::server {

class WorkerPool {
 public:
  WorkerPool(int threads, size_t max_waiting);
  /// Finishes what waits, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when `max_waiting` jobs wait already: `job` is not taken.
  [[nodiscard]] bool submit(std::function<void()> job);

 private:
  void work();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace tessera::server
