// Sampler: one row of logits -> one token, in SGLang's order: temperature, softmax, top_k, top_p, min_p. As
// in its deterministic back end the three filters look at one and the same distribution: a token is kept when
// its rank is below top_k, the mass ranked before it is <= top_p (of the whole vocabulary), and its
// probability is >= min_p times the best. Equal probabilities rank by the lower id. Owns scratch memory only:
// one per thread, not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "sampling/sampling_params.h"
#include "sampling/weight_cut.h"

namespace tessera::sampling {

class Sampler {
 public:
  /// logits [vocab]; -inf means never. `params` are valid; `seed` and `position` (index of the new token in
  /// its answer) alone decide the draw. kInternal naming the token when a logit is NaN or +inf, or when all
  /// are -inf.
  Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params, uint64_t seed,
                         uint64_t position);

 private:
  int32_t draw_from_all(double unit) const;
  int32_t draw_filtered(const SamplingParams& params, double unit);
  float lowest_weight(const SamplingParams& params, double mass);
  void collect(float lowest);
  Cut cut_candidates(const SamplingParams& params, std::span<const float> weights, double mass);
  double total() const;

  std::vector<float> weights_;      // [vocab] probability / best probability
  std::vector<double> block_sums_;  // of weights_
  std::vector<float> block_maxes_, ranked_maxes_;
  // What may stay, in order of ids; the first candidates_ are in use.
  std::vector<float> candidate_weights_;
  std::vector<int32_t> candidate_tokens_;
  size_t candidates_ = 0;
  WeightCut cut_;
};

/// The token of the largest logit, the lowest id among equals. Errors as Sampler::sample.
Result<int32_t> argmax(std::span<const float> logits);

}  // namespace tessera::sampling
