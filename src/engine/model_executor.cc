#include "engine/model_executor.h"

#include "base/check.h"

namespace tessera::engine {

Status ModelExecutor::step(std::span<const SequenceChunk> chunks, std::span<float> logits) {
  using Wanted = SequenceChunk::Logits;
  using Given = models::Chunk::Logits;
  chunks_.clear();
  int64_t rows = 0;
  for (const SequenceChunk& chunk : chunks) {
    chunks_.push_back({.ids = chunk.ids,
                       .start = chunk.start,
                       .pages = chunk.pages,
                       .logits = chunk.logits == Wanted::kAll    ? Given::kAll
                                 : chunk.logits == Wanted::kLast ? Given::kLast
                                                                 : Given::kNone});
    rows += static_cast<int64_t>(chunk.rows());
  }
  CHECK(logits.size() >= static_cast<size_t>(rows * info_.vocab_size), "{} logits for {} rows of {}",
        logits.size(), rows, info_.vocab_size);
  return model_->forward(chunks_, cache_, MatrixView<float>(logits.data(), rows, info_.vocab_size));
}

}  // namespace tessera::engine
