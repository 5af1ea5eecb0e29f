// A text cut into windows, as transformers' perplexity does: windows of `context` tokens begin every `stride`
// tokens; each predicts the tokens that no window before it did, so with stride < context every prediction
// sees at least context - stride tokens. With stride == context windows do not overlap, and the first token
// of a window is not predicted. The last window may be shorter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "cache/kv_cache.h"
#include "models/model.h"
#include "tensor/matrix.h"

namespace tessera::eval {

/// Tokens that go through the model together: ids[window + start] and the `count` - 1 after it.
struct Part {
  size_t window = 0;  // where its window begins
  size_t start = 0;   // within the window
  size_t count = 0;
  bool predicts = false;  // the logits of its row i predict ids[window + start + i + 1]
};

/// In order; a window's parts begin with start 0 and follow one another. kInvalidArgument when `context` is
/// not 2 .. the model's, `stride` is not 1 .. context, or `ids` has fewer than two tokens or one outside the
/// vocabulary.
Result<std::vector<Part>> plan_parts(const models::ModelConfig& config, std::span<const int32_t> ids,
                                     int32_t context, int32_t stride);

/// One model at work on parts, in the order of the plan.
class WindowReader {
 public:
  static Result<WindowReader> create(models::Model& model, int32_t context);

  /// [part.count, vocab], until the next call; no rows when the part does not predict.
  Result<MatrixView<float>> forward(std::span<const int32_t> ids, const Part& part);

  models::Model& model() { return *model_; }

 private:
  WindowReader(models::Model& model, cache::KvCache cache, int32_t pages);

  models::Model* model_;
  cache::KvCache cache_;
  std::vector<int32_t> pages_;
  std::vector<float> logits_;
};

}  // namespace tessera::eval
