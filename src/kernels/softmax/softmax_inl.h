// The body of softmax for whichever vec16_*.h was included before.
#pragma once

#include "kernels/softmax/softmax.h"
// After the vocabulary.
#include "kernels/simd/exp.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// What one pass over a row gathers; four of them side by side: one chain of maxima would wait 4 cycles for
/// each vector.
struct Extent {
  Vec best, bad;

  inline __attribute__((always_inline)) void take(Vec x) {
    best = max(x, best);  // gives the second operand when x is NaN
    bad = max(bad, zero_if_lt(set1(1.0F), x, set1(__builtin_inff())));
  }
  inline __attribute__((always_inline)) void merge(const Extent& other) {
    best = max(best, other.best);
    bad = max(bad, other.bad);
  }
};

inline Vec weights_of(Vec x, Vec top, Vec inverse_temperature) {
  const Vec exponent = mul(sub(x, top), inverse_temperature);
  return zero_if_lt(exp(exponent), exponent, set1(-87.0F));
}

}  // namespace

RowExtent row_extent(const float* x, int64_t n) {
  const Extent nothing{set1(-__builtin_inff()), zero()};
  Extent a = nothing, b = nothing, c = nothing, d = nothing;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a.take(load(x + i));
    b.take(load(x + i + kLanes));
    c.take(load(x + i + 2 * kLanes));
    d.take(load(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes)
    a.take(load(x + i));
  c.merge(d);
  b.merge(c);
  a.merge(b);
  RowExtent extent{reduce_max(a.best), reduce_max(a.bad) != 0.0F};
  for (; i < n; ++i) {
    extent.max = x[i] > extent.max ? x[i] : extent.max;
    extent.bad = extent.bad || !(x[i] < __builtin_inff());
  }
  return extent;
}

void softmax_weights(const SoftmaxArgs& args) {
  const Vec top = set1(args.max), inverse = set1(args.inverse_temperature);
  for (int64_t block = 0, begin = 0; begin < args.n; ++block, begin += kSoftmaxBlock) {
    const int64_t end = begin + kSoftmaxBlock < args.n ? begin + kSoftmaxBlock : args.n;
    Vec sum = zero(), most = zero();
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      const Vec w = weights_of(load(args.x + i), top, inverse);
      store(args.weights + i, w);
      sum = add(sum, w);
      most = max(most, w);
    }
    if (i < end) {
      store_n(args.weights + i, weights_of(load_n(args.x + i, end - i), top, inverse), end - i);
      const Vec w = load_n(args.weights + i, end - i);  // 0 in the lanes beyond the row
      sum = add(sum, w);
      most = max(most, w);
    }
    args.block_sums[block] = static_cast<double>(reduce_add(sum));
    args.block_maxes[block] = reduce_max(most);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
