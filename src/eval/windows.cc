#include "eval/windows.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tessera::eval {
namespace {

constexpr int32_t kPageSize = 64;       // tokens
constexpr size_t kTokensPerPass = 256;  // logits of so many rows are held at once: 50 MB for 49152 tokens

Status check_arguments(const models::ModelConfig& config, std::span<const int32_t> ids, int32_t context,
                       int32_t stride) {
  if (context < 2 || context > config.max_position) {
    return invalid_argument("--context {}, expected 2 to {} (the model's context)", context,
                            config.max_position);
  }
  if (stride < 1 || stride > context)
    return invalid_argument("--stride {}, expected 1 to {} (--context)", stride, context);
  if (ids.size() < 2) return invalid_argument("the text has {} tokens, expected at least 2", ids.size());
  for (const int32_t id : ids) {
    if (id < 0 || id >= config.vocab)
      return invalid_argument("token id {} of the text, expected less than {}", id, config.vocab);
  }
  return {};
}

/// Rows `from` .. `to` - 1 of the window.
void add_parts(std::vector<Part>& parts, size_t window, size_t from, size_t to, bool predicts) {
  for (; from < to; from += kTokensPerPass) {
    const size_t count = std::min(kTokensPerPass, to - from);
    parts.push_back({.window = window, .start = from, .count = count, .predicts = predicts});
  }
}

}  // namespace

Result<std::vector<Part>> plan_parts(const models::ModelConfig& config, std::span<const int32_t> ids,
                                     int32_t context, int32_t stride) {
  TRY_STATUS(check_arguments(config, ids, context, stride));
  std::vector<Part> parts;
  size_t predicted = 0;  // tokens before this one are, or never will be
  for (size_t begin = 0; predicted < ids.size(); begin += static_cast<size_t>(stride)) {
    const size_t end = std::min(begin + static_cast<size_t>(context), ids.size());
    const size_t first = std::max(predicted, begin + 1) - begin;  // token to predict, within the window
    if (first < end - begin) {  // else it is a window of one token, which predicts nothing
      add_parts(parts, begin, 0, first - 1, false);
      add_parts(parts, begin, first - 1, end - begin - 1, true);  // the last token's logits predict nothing
    }
    predicted = end;
  }
  return parts;
}

WindowReader::WindowReader(models::Model& model, cache::KvCache cache, int32_t pages)
    : model_(&model),
      cache_(std::move(cache)),
      pages_(static_cast<size_t>(pages)),
      logits_(kTokensPerPass * static_cast<size_t>(model.config().vocab)) {
  std::iota(pages_.begin(), pages_.end(), 0);
}

Result<WindowReader> WindowReader::create(models::Model& model, int32_t context) {
  const int32_t pages = (context + kPageSize - 1) / kPageSize;
  return WindowReader(model, TRY(model.make_cache(kPageSize, pages)), pages);
}

Result<MatrixView<float>> WindowReader::forward(std::span<const int32_t> ids, const Part& part) {
  using Logits = models::Chunk::Logits;
  const models::Chunk chunk{.ids = ids.subspan(part.window + part.start, part.count),
                            .start = static_cast<int32_t>(part.start),
                            .pages = pages_,
                            .logits = part.predicts ? Logits::kAll : Logits::kNone};
  const auto rows = static_cast<int64_t>(part.predicts ? part.count : 0);
  const MatrixView<float> logits(logits_.data(), rows, model_->config().vocab);
  TRY_STATUS(model_->forward(std::span(&chunk, 1), cache_, logits));
  return logits;
}

}  // namespace tessera::eval
