#include "eval/perplexity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/progress.h"
#include "eval/windows.h"

namespace tessera::eval {

double log_sum_exp(std::span<const float> logits) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit) - most);
  return std::log(sum) + most;
}

double negative_log_probability(std::span<const float> logits, int32_t id) {
  CHECK(id >= 0 && static_cast<size_t>(id) < logits.size(), "id {} of {}", id, logits.size());
  return log_sum_exp(logits) - static_cast<double>(logits[static_cast<size_t>(id)]);
}

Result<Perplexity> measure_perplexity(models::Model& model, std::span<const int32_t> ids, int32_t context,
                                      int32_t stride) {
  const std::vector<Part> parts = TRY(plan_parts(model.config(), ids, context, stride));
  const auto begin = std::chrono::steady_clock::now();
  WindowReader reader = TRY(WindowReader::create(model, context));
  Progress progress("perplexity", parts.size());
  std::vector<double> losses;
  double total = 0;
  int64_t tokens = 0;
  for (const Part& part : parts) {
    const MatrixView<float> logits = TRY(reader.forward(ids, part));
    const std::span<const int32_t> next = ids.subspan(part.window + part.start + 1);
    losses.resize(static_cast<size_t>(logits.rows));
    model.workers().parallel_for(losses.size(), [&](size_t row) {
      const std::span values(logits.row(static_cast<int64_t>(row)), static_cast<size_t>(logits.cols));
      losses[row] = negative_log_probability(values, next[row]);
    });
    // In order, so that the sum does not depend on the threads.
    total = std::accumulate(losses.begin(), losses.end(), total);
    tokens += logits.rows;
    progress.advance(1);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double mean = total / static_cast<double>(tokens);
  return Perplexity{
      .perplexity = std::exp(mean), .mean_nll = mean, .tokens = tokens, .seconds = took.count()};
}

}  // namespace tessera::eval
