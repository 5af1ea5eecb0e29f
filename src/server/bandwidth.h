// How fast this machine reads memory, measured at the start: decoding one token reads every weight once, so
// bandwidth over weight bytes is the ceiling of tokens per second at batch 1.
#pragma once

#include "base/thread_pool.h"

namespace tessera::server {

/// Bytes per second that all workers of the pool read together from a buffer larger than the caches; the best
/// of a few rounds, about 0.1 s in all. The pool must be idle.
double measure_read_bandwidth(ThreadPool& pool);

}  // namespace tessera::server
