// The body of moe_route for whichever vec16_*.h was included before.
#pragma once

#include "kernels/moe_route/moe_route.h"
// After the vocabulary.
#include "kernels/simd/exp.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// The lanes of a row's last, incomplete vector that exist; the others get `fill`.
inline Vec load_part(const float* p, int64_t n, float fill) {
  float lanes[kLanes];
  store(lanes, set1(fill));
  store_n(lanes, load_n(p, n), n);
  return load(lanes);
}

inline float row_max(const float* row, int64_t n) {
  Vec top = set1(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    top = max(top, load(row + i));
  if (i < n) top = max(top, load_part(row + i, n - i, -__builtin_inff()));
  return reduce_max(top);
}

/// In place; returns whether the shares are numbers.
inline bool softmax(float* row, int64_t n) {
  const Vec top = set1(row_max(row, n));
  Vec sums = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = exp_nonpositive(sub(load(row + i), top));
    store(row + i, e);
    sums = add(sums, e);
  }
  if (i < n) {
    const Vec e = exp_nonpositive(sub(load_part(row + i, n - i, -__builtin_inff()), top));
    store_n(row + i, e, n - i);
    sums = add(sums, e);
  }
  const float total = reduce_add(sums);
  // A NaN of any lane got here: exp_nonpositive() lets it pass. The maximum's own share is 1.
  if (!(total >= 1.0F)) return false;
  for (i = 0; i + kLanes <= n; i += kLanes)
    store(row + i, div(load(row + i), set1(total)));
  if (i < n) store_n(row + i, div(load_n(row + i, n - i), set1(total)), n - i);
  return true;
}

/// The k largest shares, largest first, kept sorted while the row is scanned: an index comes after those with
/// its share, so the lowest wins ties. Of 128 shares some 30 get past the first comparison.
inline void select(const float* row, int32_t experts, int32_t k, int32_t* chosen, float* weights) {
  int32_t count = 0;
  for (int32_t expert = 0; expert < experts; ++expert) {
    const float share = row[expert];
    if (count == k && !(share > weights[k - 1])) continue;
    int32_t at = count < k ? count++ : k - 1;
    for (; at > 0 && share > weights[at - 1]; --at) {
      weights[at] = weights[at - 1];
      chosen[at] = chosen[at - 1];
    }
    weights[at] = share;
    chosen[at] = expert;
  }
}

inline void sort_by_expert(int32_t k, int32_t* chosen, float* weights) {
  for (int32_t i = 1; i < k; ++i) {
    const int32_t expert = chosen[i];
    const float weight = weights[i];
    int32_t at = i;
    for (; at > 0 && chosen[at - 1] > expert; --at) {
      chosen[at] = chosen[at - 1];
      weights[at] = weights[at - 1];
    }
    chosen[at] = expert;
    weights[at] = weight;
  }
}

inline void normalize(int32_t k, float* weights) {
  float total = 0;
  for (int32_t i = 0; i < k; ++i)
    total += weights[i];
  for (int32_t i = 0; i < k; ++i)
    weights[i] /= total;
}

}  // namespace

void moe_route(const MoeRouteArgs& args) {
  const int32_t k = args.chosen_per_row;
  for (int64_t row = 0; row < args.rows; ++row) {
    float* shares = args.shares + row * args.shares_stride;
    int32_t* chosen = args.chosen + row * k;
    float* weights = args.weights + row * k;
    if (softmax(shares, args.experts)) {
      select(shares, args.experts, k, chosen, weights);
      if (args.normalize) normalize(k, weights);
      sort_by_expert(k, chosen, weights);
    } else {
      for (int32_t i = 0; i < k; ++i) {
        chosen[i] = i;
        weights[i] = __builtin_nanf("");
      }
    }
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
