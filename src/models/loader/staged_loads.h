// How the parameters of a model are read: on all workers, with a bounded amount of raw weights in memory,
// while the system reads ahead what comes next. Then a load from a disk runs at the disk's speed, one from
// the file cache at that of the cores, and neither holds more than docs/loading.md says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/tensor_source.h"

namespace tessera::models {

/// The reading of one parameter.
struct LoadTask {
  std::vector<const formats::TensorInfo*> tensors;
  uint64_t staging_bytes = 0;  // in memory while it runs and not afterwards
};

/// Calls load(index, workers) once for every task. Those that would take half of the staging memory come
/// first, one at a time, with all workers to themselves; then the others, each on one worker, as many at a
/// time as there are workers and as fit. The staging memory is the checkpoint's largest tensor and 128 MiB.
/// The first error, in the order of tasks that were begun; after one, no other is begun.
Status run_loads(std::span<const LoadTask> tasks, const formats::TensorSource& source, ThreadPool& pool,
                 const std::function<Status(size_t, ThreadPool&)>& load);

}  // namespace tessera::models
