#include "compress/auto/row_divergence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "kernels/softmax/softmax.h"

namespace tessera::compress {

double RowDivergence::soften(std::span<const float> logits) {
  const auto n = static_cast<int64_t>(logits.size());
  const kernels::RowExtent extent = kernels::row_extent(logits.data(), n);
  if (extent.bad || !std::isfinite(extent.max)) return std::numeric_limits<double>::quiet_NaN();
  const size_t blocks = (logits.size() + kernels::kSoftmaxBlock - 1) / kernels::kSoftmaxBlock;
  weights_.resize(logits.size());
  block_sums_.resize(blocks);
  block_maxes_.resize(blocks);
  kernels::softmax_weights({.x = logits.data(),
                            .n = n,
                            .max = extent.max,
                            .inverse_temperature = 1,
                            .weights = weights_.data(),
                            .block_sums = block_sums_.data(),
                            .block_maxes = block_maxes_.data()});
  return extent.max + std::log(std::accumulate(block_sums_.begin(), block_sums_.end(), 0.0));
}

bool RowDivergence::set_reference(std::span<const float> logits) {
  reference_ = logits;
  log_norm_ = soften(logits);
  if (std::isnan(log_norm_)) return false;
  const double sum = std::accumulate(block_sums_.begin(), block_sums_.end(), 0.0);
  probabilities_.resize(logits.size());
  std::ranges::transform(weights_, probabilities_.begin(),
                         [&](float weight) { return static_cast<float>(weight / sum); });
  return true;
}

double RowDivergence::from(std::span<const float> logits) {
  CHECK(logits.size() == reference_.size(), "{} logits, the reference has {}", logits.size(),
        reference_.size());
  const double log_norm = soften(logits);
  if (std::isnan(log_norm)) return log_norm;
  // Lanes that the compiler may keep in one register: their order is fixed here, so it must not reorder.
  constexpr size_t kLanes = 16;
  std::array<double, kLanes> sums{};
  const size_t whole = logits.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(probabilities_[i + lane]) *
                    (static_cast<double>(reference_[i + lane]) - static_cast<double>(logits[i + lane]));
    }
  }
  double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  for (size_t i = whole; i < logits.size(); ++i)
    sum += static_cast<double>(probabilities_[i]) *
           (static_cast<double>(reference_[i]) - static_cast<double>(logits[i]));
  return std::max(sum + log_norm - log_norm_, 0.0);  // rounding alone makes it negative
}

}  // namespace tessera::compress
