#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "kernels/softmax/softmax.h"
#include "sampling/random.h"

namespace tessera::sampling {
namespace {

/// The largest logit, or what is wrong with the row.
Result<float> checked_max(std::span<const float> logits) {
  const auto extent = kernels::row_extent(logits.data(), static_cast<int64_t>(logits.size()));
  if (extent.bad) {
    const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return !(x < INFINITY); });
    return internal_error("the model's logit of token {} is {}, expected a finite number",
                          bad - logits.begin(), *bad);
  }
  if (extent.max == -INFINITY)
    return internal_error("all {} logits are -inf, no token can be drawn", logits.size());
  return extent.max;
}

constexpr auto kBlock = static_cast<size_t>(kernels::kSoftmaxBlock);

}  // namespace

Result<int32_t> argmax(std::span<const float> logits) {
  const float max = TRY(checked_max(logits));
  return static_cast<int32_t>(std::find(logits.begin(), logits.end(), max) - logits.begin());
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params, uint64_t seed,
                                uint64_t position) {
  if (params.greedy()) return argmax(logits);
  const float max = TRY(checked_max(logits));
  weights_.resize(logits.size());
  block_sums_.resize((logits.size() + kBlock - 1) / kBlock);
  block_maxes_.resize(block_sums_.size());
  kernels::softmax_weights({.x = logits.data(),
                            .n = static_cast<int64_t>(logits.size()),
                            .max = max,
                            .inverse_temperature = 1.0F / params.temperature,
                            .weights = weights_.data(),
                            .block_sums = block_sums_.data(),
                            .block_maxes = block_maxes_.data()});
  const double unit = random_unit(seed, position);
  const bool filtered = params.top_k != -1 || params.top_p < 1.0F || params.min_p > 0.0F;
  return filtered ? draw_filtered(params, unit) : draw_from_all(unit);
}

double Sampler::total() const {
  double sum = 0;
  for (const double block : block_sums_)
    sum += block;
  return sum;
}

int32_t Sampler::draw_from_all(double unit) const {
  double left = unit * total();
  size_t block = 0;
  for (; block + 1 < block_sums_.size() && left >= block_sums_[block]; ++block)
    left -= block_sums_[block];
  // Block sums are rounded to float: the walk may run past the block's end, or stop at a block of nothing.
  // Then the last possible token before is the answer; the best token has weight 1, so going backwards or
  // forwards finds one.
  int32_t last = -1;
  for (size_t token = block * kBlock; token < weights_.size(); ++token) {
    if (weights_[token] == 0.0F) continue;
    last = static_cast<int32_t>(token);
    left -= weights_[token];
    if (left < 0) return last;
    if (token >= (block + 1) * kBlock) return last;
  }
  if (last >= 0) return last;
  const auto back = std::find_if(weights_.rbegin(), weights_.rend(), [](float w) { return w > 0.0F; });
  CHECK(back != weights_.rend(), "no token has a weight, the best one must have 1");
  return static_cast<int32_t>(weights_.rend() - back) - 1;
}

/// No token below stays, whatever the ranking says: three bounds that cost one pass over the blocks, not the
/// row.
float Sampler::lowest_weight(const SamplingParams& params, double mass) {
  float lowest = std::max(params.min_p, std::numeric_limits<float>::min());
  if (params.top_k != -1 && static_cast<size_t>(params.top_k) <= block_maxes_.size()) {
    // top_k blocks have a token at least as good as the top_k-th best block's best.
    ranked_maxes_ = block_maxes_;
    const auto border = ranked_maxes_.begin() + (params.top_k - 1);
    std::ranges::nth_element(ranked_maxes_, border, std::greater<>());
    lowest = std::max(lowest, *border);
  }
  if (params.top_p < 1.0F) {
    // All tokens below this together have less than 1 - top_p of the mass; the margin is for the rounding of
    // `mass`.
    const double tail =
        (1.0 - static_cast<double>(params.top_p)) * mass / static_cast<double>(weights_.size());
    lowest = std::max(lowest, static_cast<float>(tail * 0.999));
  }
  return lowest;
}

void Sampler::collect(float lowest) {
  candidate_weights_.resize(weights_.size());
  candidate_tokens_.resize(weights_.size());
  candidates_ = 0;
  for (size_t block = 0; block < block_maxes_.size(); ++block) {
    if (block_maxes_[block] < lowest) continue;
    const size_t end = std::min(weights_.size(), (block + 1) * kBlock);
    for (size_t token = block * kBlock; token < end; ++token) {
      // Written always, counted when it stays: no branch that nobody can predict.
      candidate_weights_[candidates_] = weights_[token];
      candidate_tokens_[candidates_] = static_cast<int32_t>(token);
      candidates_ += weights_[token] >= lowest ? 1 : 0;
    }
  }
}

Cut Sampler::cut_candidates(const SamplingParams& params, std::span<const float> weights, double mass) {
  if (params.top_k == -1 && params.top_p == 1.0F)  // min_p alone: all stay
    return {.weight = 0, .ties = 0, .mass = std::accumulate(weights.begin(), weights.end(), 0.0)};
  const int64_t most = params.top_k == -1 ? std::numeric_limits<int64_t>::max() : params.top_k;
  const double limit = params.top_p < 1.0F ? static_cast<double>(params.top_p) * mass : INFINITY;
  return cut_.find(weights, most, limit);
}

int32_t Sampler::draw_filtered(const SamplingParams& params, double unit) {
  const double mass = total();
  collect(lowest_weight(params, mass));
  CHECK(candidates_ > 0, "the filters dropped the best token");
  const std::span<const float> weights(candidate_weights_.data(), candidates_);
  const Cut cut = cut_candidates(params, weights, mass);
  double left = unit * cut.mass;
  int64_t ties = 0;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] < cut.weight || (weights[i] == cut.weight && ties++ >= cut.ties)) continue;
    last = i;
    left -= static_cast<double>(weights[i]);
    if (left < 0) break;
  }
  return candidate_tokens_[last];  // the last one, where the rounding of sums left something
}

}  // namespace tessera::sampling
