#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "sampling/random.h"
#include "sampling/row_math.h"

namespace tessera::sampling {
namespace {

/// The largest logit, or what is wrong with the row.
Result<float> checked_max(std::span<const float> logits) {
  const RowMax max = row_max(logits);
  if (max.has_nan || max.value == INFINITY) {
    const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return !(x < INFINITY); });
    return internal_error("the model's logit of token {} is {}, expected a finite number",
                          bad - logits.begin(), *bad);
  }
  if (max.value == -INFINITY)
    return internal_error("all {} logits are -inf, no token can be drawn", logits.size());
  return max.value;
}

// Weights are in (0, 1], so the upper bits of the float are a rank: 8 bits of exponent and 2 of mantissa.
constexpr int kBucketShift = 21;
constexpr size_t kBuckets = (std::bit_cast<uint32_t>(1.0F) >> kBucketShift) + 1;
size_t bucket_of(float weight) {
  return std::bit_cast<uint32_t>(weight) >> kBucketShift;
}
float bucket_floor(size_t bucket) {
  return std::bit_cast<float>(static_cast<uint32_t>(bucket) << kBucketShift);
}

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
  exp_row(logits, max, 1.0F / params.temperature, weights_, block_sums_);
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

float Sampler::lowest_weight(const SamplingParams& params, double mass) const {
  if (params.top_k == -1 && params.top_p == 1.0F) return params.min_p;
  std::array<int32_t, kBuckets> counts{};
  std::array<double, kBuckets> masses{};
  for (const float weight : weights_) {
    const size_t bucket = bucket_of(weight);
    ++counts[bucket];
    masses[bucket] += weight;
  }
  // Once a bucket ends with top_k tokens or more than top_p of the mass, all below it are dropped for sure.
  int64_t count = 0;
  double before = 0;
  size_t bucket = kBuckets;
  while (bucket > 0) {
    --bucket;
    count += counts[bucket];
    before += masses[bucket];
    if (params.top_k != -1 && count >= params.top_k) break;
    // The margin covers the different order of summation here and in keep_ranked.
    if (params.top_p < 1.0F && before > static_cast<double>(params.top_p) * mass * (1 + 1e-9)) break;
  }
  return std::max(params.min_p, bucket_floor(bucket));
}

void Sampler::keep_ranked(const SamplingParams& params, double mass) {
  std::sort(kept_.begin(), kept_.end(), [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  });
  size_t keep = kept_.size();
  if (params.top_k != -1) keep = std::min(keep, static_cast<size_t>(params.top_k));
  if (params.top_p < 1.0F) {
    double before = 0;
    size_t rank = 0;
    for (; rank < keep && before <= static_cast<double>(params.top_p) * mass; ++rank)
      before += kept_[rank].weight;
    keep = rank;
  }
  kept_.resize(keep);
}

int32_t Sampler::draw_filtered(const SamplingParams& params, double unit) {
  const double mass = total();
  const float lowest = lowest_weight(params, mass);
  kept_.clear();
  for (size_t token = 0; token < weights_.size(); ++token) {
    if (weights_[token] >= lowest && weights_[token] > 0.0F) {
      kept_.push_back({weights_[token], static_cast<int32_t>(token)});
    }
  }
  if (params.top_k != -1 || params.top_p < 1.0F) keep_ranked(params, mass);
  double sum = 0;
  for (const Candidate& candidate : kept_)
    sum += candidate.weight;
  double left = unit * sum;
  for (const Candidate& candidate : kept_) {
    left -= candidate.weight;
    if (left < 0) return candidate.token;
  }
  CHECK(!kept_.empty(), "the filters dropped the best token");
  return kept_.back().token;
}

}  // namespace tessera::sampling
