// ModelExecutor: the engine's Executor over a models::Model and its KV cache. Used by the engine thread
// alone.
#pragma once

#include <memory>
#include <vector>

#include "cache/kv_cache.h"
#include "engine/executor.h"
#include "models/model.h"

namespace tessera::engine {

class ModelExecutor : public Executor {
 public:
  /// `cache` has info.page_count pages of info.page_size tokens.
  ModelExecutor(std::unique_ptr<models::Model> model, cache::KvCache cache, const ExecutorInfo& info)
      : model_(std::move(model)), cache_(std::move(cache)), info_(info) {}

  const ExecutorInfo& info() const override { return info_; }
  Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
              std::span<float> hidden) override;
  ThreadPool& workers() override { return model_->workers(); }

 private:
  std::unique_ptr<models::Model> model_;
  cache::KvCache cache_;
  ExecutorInfo info_;
  std::vector<models::Chunk> chunks_;  // kept, so that a step allocates nothing
};

}  // namespace tessera::engine
