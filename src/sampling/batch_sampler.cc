#include "sampling/batch_sampler.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"

namespace tessera::sampling {

Result<int32_t> BatchSampler::Lane::sample_row(const Draw& draw, std::span<const float> logits,
                                               uint64_t position) {
  const SamplingParams& params = *draw.params;
  const bool too_early = position < static_cast<uint64_t>(params.min_new_tokens);
  const auto forbidden = too_early ? draw.forbidden : std::span<const int32_t>();
  if (params.penalizes() || !params.logit_bias.empty() || !forbidden.empty()) {
    // A copy: logprobs are of what the model said.
    adjusted.assign(logits.begin(), logits.end());
    adjust_logits(params, draw.counts, forbidden, adjusted);
    logits = adjusted;
  }
  const int32_t token = TRY(sampler.sample(logits, params, draw.seed, position));
  if (draw.counts) draw.counts->add(token);
  return token;
}

/// A draft is right when it is the token that is drawn: draws are a function of seed and position, so drafts
/// change no token, at any temperature.
Result<Drawn> BatchSampler::Lane::sample(const Draw& draw) {
  const size_t rows = draw.known.empty() ? 1 + draw.drafts.size() : draw.known.size();
  CHECK(draw.logits.size() % rows == 0, "{} logits for {} rows", draw.logits.size(), rows);
  const size_t vocab = draw.logits.size() / rows;
  Drawn out;
  for (size_t row = 0; row < rows; ++row) {
    const auto logits = draw.logits.subspan(row * vocab, vocab);
    if (!draw.known.empty()) {
      out.logprobs.push_back(TRY(logprobs_of(logits, draw.known[row], *draw.logprobs)));
      continue;
    }
    const int32_t token = TRY(sample_row(draw, logits, draw.position + row));
    out.tokens.push_back(token);
    if (draw.logprobs) out.logprobs.push_back(TRY(logprobs_of(logits, token, *draw.logprobs)));
    if (row < draw.drafts.size() && draw.drafts[row] != token) break;
  }
  return out;
}

std::span<const Result<Drawn>> BatchSampler::sample(std::span<const Draw> draws, ThreadPool& pool) {
  results_.assign(draws.size(), Result<Drawn>(Drawn()));
  const size_t lanes = std::min(draws.size(), static_cast<size_t>(pool.size()));
  if (lanes_.size() < lanes) lanes_.resize(lanes);
  std::atomic<size_t> next{0};
  pool.parallel_for(lanes, [&](size_t lane) {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < draws.size();)
      results_[i] = lanes_[lane].sample(draws[i]);
  });
  return results_;
}

}  // namespace tessera::sampling
