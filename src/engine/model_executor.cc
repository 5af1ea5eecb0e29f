#include "engine/model_executor.h"

#include "base/check.h"

namespace tessera::engine {
namespace {

models::Chunk::Logits given(SequenceChunk::Logits wanted) {
  using Wanted = SequenceChunk::Logits;
  using Given = models::Chunk::Logits;
  return wanted == Wanted::kAll ? Given::kAll : wanted == Wanted::kLast ? Given::kLast : Given::kNone;
}

models::Chunk::Hidden given(SequenceChunk::Hidden wanted) {
  using Wanted = SequenceChunk::Hidden;
  using Given = models::Chunk::Hidden;
  return wanted == Wanted::kAll ? Given::kAll : wanted == Wanted::kLast ? Given::kLast : Given::kNone;
}

/// `rows` rows of `cols`, which fit.
MatrixView<float> matrix(std::span<float> values, int64_t rows, int64_t cols, const char* what) {
  CHECK(values.size() >= static_cast<size_t>(rows * cols), "{} {} for {} rows of {}", values.size(), what,
        rows, cols);
  return {values.data(), rows, cols};
}

}  // namespace

Status ModelExecutor::step(std::span<const SequenceChunk> chunks, std::span<float> logits,
                           std::span<float> hidden) {
  chunks_.clear();
  int64_t rows = 0, hidden_rows = 0;
  for (const SequenceChunk& chunk : chunks) {
    chunks_.push_back({.ids = chunk.ids,
                       .start = chunk.start,
                       .pages = chunk.pages,
                       .logits = given(chunk.logits),
                       .hidden = given(chunk.hidden)});
    rows += static_cast<int64_t>(chunk.rows());
    hidden_rows += static_cast<int64_t>(chunk.hidden_rows());
  }
  return model_->forward(chunks_, cache_, matrix(logits, rows, info_.vocab_size, "logits"),
                         matrix(hidden, hidden_rows, info_.hidden_size, "numbers of hidden states"));
}

}  // namespace tessera::engine
