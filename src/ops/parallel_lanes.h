// Tasks that need scratch memory: a lane is used by one thread at a time, and there are as many as workers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "base/thread_pool.h"

namespace tessera::ops {

inline size_t lane_count(const ThreadPool& pool) {
  return static_cast<size_t>(pool.size());
}

/// Calls body(lane, task) for every task in [0, tasks), each once, started in ascending order; lane is below
/// lane_count(pool).
template <class Body>
void parallel_lanes(ThreadPool& pool, size_t tasks, const Body& body) {
  std::atomic<size_t> next{0};
  pool.parallel_for(std::min(tasks, lane_count(pool)), [&](size_t lane) {
    for (size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
      body(lane, task);
  });
}

}  // namespace tessera::ops
