// Step: what every block of one forward pass shares: the rows, whose they are, and where they stand. Rows of
// all chunks lie one after another, so that a projection is one GEMM over the whole batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cache/kv_cache.h"
#include "models/blocks/rope_table.h"
#include "models/model_config.h"

namespace tessera::models {

/// Rows of one sequence in the batch.
struct RowSpan {
  int64_t first = 0, rows = 0;     // in the batch
  int64_t start = 0;               // position of the first
  std::span<const int32_t> pages;  // of the sequence
};

struct Step {
  const ModelConfig& config;
  const RopeTable& rope;
  cache::KvCache& cache;
  ThreadPool& pool;
  std::span<const RowSpan> spans;
  std::span<const int32_t> positions;  // [rows]

  int64_t rows() const { return static_cast<int64_t>(positions.size()); }
};

}  // namespace tessera::models
