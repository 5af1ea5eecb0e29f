// BatchSampler: draws for many rows at once, on all workers of a pool. A row's token does not depend on the
// others nor on the workers. One caller at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "sampling/sampler.h"

namespace tessera::sampling {

/// The arguments of Sampler::sample.
struct Draw {
  std::span<const float> logits;
  const SamplingParams* params = nullptr;
  uint64_t seed = 0;
  uint64_t position = 0;
};

class BatchSampler {
 public:
  /// One result for each of `draws`, in their order; valid until the next call.
  std::span<const Result<int32_t>> sample(std::span<const Draw> draws, ThreadPool& pool);

 private:
  std::vector<Sampler> samplers_;  // one for each that draws at the same time: they own scratch memory
  std::vector<Result<int32_t>> results_;
};

}  // namespace tessera::sampling
