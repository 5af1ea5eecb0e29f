// Splits rows over the pool when the work is worth a barrier. Kernels give the same bits for any split.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"

namespace tessera::ops {

/// Elements below which one thread is faster: a barrier costs about as much as touching 8,192 floats twice.
inline constexpr int64_t kSerialElements = 16384;

/// Calls body(begin, end) on ranges that cover [0, rows); `cols` elements a row.
template <class Body>
void parallel_rows(ThreadPool& pool, int64_t rows, int64_t cols, const Body& body) {
  if (rows <= 1 || rows * cols <= kSerialElements || pool.size() == 1) {
    if (rows > 0) body(int64_t{0}, rows);
    return;
  }
  const int64_t tasks = std::min<int64_t>(rows, int64_t{4} * pool.size());
  pool.parallel_for(static_cast<size_t>(tasks), [&](size_t task) {
    const auto index = static_cast<int64_t>(task);
    const int64_t begin = rows * index / tasks, end = rows * (index + 1) / tasks;
    body(begin, end);
  });
}

}  // namespace tessera::ops
