// Packing is split over threads by panels of output rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/gemm_s8/pack_s8.h"

namespace tessera::ops {

/// Calls body(panel, first_row, rows) for every panel of `out` rows.
template <class Body>
void for_panels(int64_t out, ThreadPool& pool, const Body& body) {
  pool.parallel_for(static_cast<size_t>(kernels::panels(out)), [&](size_t task) {
    const auto panel = static_cast<int64_t>(task);
    const int64_t first = panel * kernels::kPanel;
    body(panel, first, std::min(kernels::kPanel, out - first));
  });
}

}  // namespace tessera::ops
