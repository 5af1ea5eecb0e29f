#include "sampling/batch_sampler.h"

#include <algorithm>
#include <atomic>

namespace tessera::sampling {

std::span<const Result<int32_t>> BatchSampler::sample(std::span<const Draw> draws, ThreadPool& pool) {
  results_.assign(draws.size(), Result<int32_t>(0));
  const size_t lanes = std::min(draws.size(), static_cast<size_t>(pool.size()));
  if (samplers_.size() < lanes) samplers_.resize(lanes);
  std::atomic<size_t> next{0};
  pool.parallel_for(lanes, [&](size_t lane) {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < draws.size();) {
      const Draw& draw = draws[i];
      results_[i] = samplers_[lane].sample(draw.logits, *draw.params, draw.seed, draw.position);
    }
  });
  return results_;
}

}  // namespace tessera::sampling
