#include "eval/perplexity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/progress.h"
#include "cache/kv_cache.h"

namespace tessera::eval {
namespace {

constexpr int32_t kPageSize = 64;        // tokens
constexpr int32_t kTokensPerPass = 256;  // logits of so many rows are held at once: 50 MB for 49152 tokens

class Evaluation {
 public:
  Evaluation(models::Model& model, cache::KvCache cache, int32_t pages)
      : model_(model),
        cache_(std::move(cache)),
        pages_(static_cast<size_t>(pages)),
        logits_(static_cast<size_t>(kTokensPerPass) * static_cast<size_t>(model.config().vocab)),
        losses_(kTokensPerPass) {
    std::iota(pages_.begin(), pages_.end(), 0);
  }

  /// Adds the losses of one window.
  Status add_window(std::span<const int32_t> window, Progress& progress) {
    // The last token's logits predict nothing.
    for (size_t start = 0; start + 1 < window.size();) {
      const size_t count = std::min<size_t>(kTokensPerPass, window.size() - 1 - start);
      const models::Chunk chunk{.ids = window.subspan(start, count),
                                .start = static_cast<int32_t>(start),
                                .pages = pages_,
                                .logits = models::Chunk::Logits::kAll};
      const MatrixView<float> logits(logits_.data(), static_cast<int64_t>(count), model_.config().vocab);
      TRY_STATUS(model_.forward(std::span(&chunk, 1), cache_, logits));
      add_rows(logits, window.subspan(start + 1, count));
      progress.advance(count);
      start += count;
    }
    return {};
  }

  double total() const { return total_; }
  int64_t tokens() const { return tokens_; }

 private:
  void add_rows(MatrixView<float> logits, std::span<const int32_t> next) {
    model_.workers().parallel_for(next.size(), [&](size_t row) {
      const std::span values(logits.row(static_cast<int64_t>(row)), static_cast<size_t>(logits.cols));
      losses_[row] = negative_log_probability(values, next[row]);
    });
    // In order, so that the sum does not depend on the threads.
    total_ = std::accumulate(losses_.begin(), losses_.begin() + static_cast<ptrdiff_t>(next.size()), total_);
    tokens_ += static_cast<int64_t>(next.size());
  }

  models::Model& model_;
  cache::KvCache cache_;
  std::vector<int32_t> pages_;
  std::vector<float> logits_;
  std::vector<double> losses_;
  double total_ = 0;
  int64_t tokens_ = 0;
};

Status check_arguments(const models::ModelConfig& config, std::span<const int32_t> ids, int32_t context) {
  if (context < 2 || context > config.max_position) {
    return invalid_argument("--context {}, expected 2 to {} (the model's context)", context,
                            config.max_position);
  }
  if (ids.size() < 2) return invalid_argument("the text has {} tokens, expected at least 2", ids.size());
  for (const int32_t id : ids) {
    if (id < 0 || id >= config.vocab)
      return invalid_argument("token id {} of the text, expected less than {}", id, config.vocab);
  }
  return {};
}

}  // namespace

double negative_log_probability(std::span<const float> logits, int32_t id) {
  CHECK(id >= 0 && static_cast<size_t>(id) < logits.size(), "id {} of {}", id, logits.size());
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit) - most);
  return std::log(sum) + most - static_cast<double>(logits[static_cast<size_t>(id)]);
}

Result<Perplexity> measure_perplexity(models::Model& model, std::span<const int32_t> ids, int32_t context) {
  TRY_STATUS(check_arguments(model.config(), ids, context));
  const auto begin = std::chrono::steady_clock::now();
  const int32_t pages = (context + kPageSize - 1) / kPageSize;
  Evaluation evaluation(model, TRY(model.make_cache(kPageSize, pages)), pages);
  Progress progress("perplexity", ids.size());
  const auto window = static_cast<size_t>(context);
  for (size_t start = 0; start < ids.size(); start += window) {
    TRY_STATUS(evaluation.add_window(ids.subspan(start, std::min(window, ids.size() - start)), progress));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double mean = evaluation.total() / static_cast<double>(evaluation.tokens());
  return Perplexity{
      .perplexity = std::exp(mean), .mean_nll = mean, .tokens = evaluation.tokens(), .seconds = took.count()};
}

}  // namespace tessera::eval
