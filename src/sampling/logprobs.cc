#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sampling/sampler.h"

namespace tessera::sampling {
namespace {

/// The ids of the `count` largest, descending, equal ones by id.
std::vector<int32_t> largest(std::span<const float> logits, size_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const auto end = ids.begin() + static_cast<ptrdiff_t>(std::min(count, ids.size()));
  std::ranges::partial_sort(ids, end, before);
  ids.erase(end, ids.end());
  return ids;
}

}  // namespace

Result<Logprobs> logprobs_of(std::span<const float> logits, int32_t token, const LogprobRequest& request) {
  const int32_t best = TRY(argmax(logits));
  const double max = logits[static_cast<size_t>(best)];
  double sum = 0;
  for (const float logit : logits)
    sum += static_cast<double>(std::exp(logit - static_cast<float>(max)));
  const double log_total = max + std::log(sum);
  const auto of = [&](int32_t id) {
    return TokenLogprob{id,
                        static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - log_total)};
  };
  Logprobs out{.token = of(token), .top = {}, .chosen = {}};
  if (request.top > 0) {
    for (const int32_t id : largest(logits, static_cast<size_t>(request.top)))
      out.top.push_back(of(id));
  }
  for (const int32_t id : request.tokens)
    out.chosen.push_back(of(id));
  return out;
}

}  // namespace tessera::sampling
