#include "sampling/weight_cut.h"

#include <algorithm>
#include <bit>

namespace tessera::sampling {
namespace {

// Weights are in (0, 1], so their bits rank like the weights, and 30 of them say all: 10 a pass.
constexpr int kBitsPerPass = 10;
static_assert(std::bit_cast<uint32_t>(1.0F) >> (2 * kBitsPerPass) < 1024);

size_t bucket_of(float weight, int shift) {
  return (std::bit_cast<uint32_t>(weight) >> shift) & ((1U << kBitsPerPass) - 1);
}

}  // namespace

void WeightCut::fill(std::span<const float> weights, int shift) {
  // A short list waits for nothing that emptying four tables would not cost more than.
  used_tables_ = weights.size() < kBuckets ? 1 : kTables;
  for (size_t table = 0; table < used_tables_; ++table)
    tables_[table].fill({});
  for (size_t i = 0; i < weights.size(); ++i) {
    Bucket& bucket = tables_[i & (used_tables_ - 1)][bucket_of(weights[i], shift)];
    bucket.mass += static_cast<double>(weights[i]);
    ++bucket.count;
  }
}

WeightCut::Bucket WeightCut::bucket(size_t index) const {
  Bucket sum;
  for (size_t table = 0; table < used_tables_; ++table) {
    sum.mass += tables_[table][index].mass;
    sum.count += tables_[table][index].count;
  }
  return sum;
}

Cut WeightCut::find(std::span<const float> weights, int64_t most, double mass_limit) {
  std::span<const float> undecided = weights;  // all others rank before these and stay, or behind and do not
  int64_t before = 0;
  double mass = 0;
  for (int shift = 2 * kBitsPerPass; shift >= 0; shift -= kBitsPerPass) {
    fill(undecided, shift);
    size_t border = kBuckets;
    while (border-- > 0) {
      const Bucket here = bucket(border);
      if (before + here.count >= most || mass + here.mass > mass_limit) break;  // nothing below stays
      before += here.count;
      mass += here.mass;
    }
    if (border > kBuckets) {
      // All of them stay. After the first pass that is a matter of rounding: sums of other buckets said
      // otherwise.
      const float least = *std::ranges::min_element(undecided);
      return {.weight = least, .ties = std::ranges::count(undecided, least), .mass = mass};
    }
    // In place from the second pass on: what is kept is never behind where it is read.
    undecided_.resize(std::max(undecided_.size(), undecided.size()));
    size_t kept = 0;
    for (const float weight : undecided) {
      undecided_[kept] = weight;
      kept += bucket_of(weight, shift) == border ? 1 : 0;
    }
    undecided = std::span(undecided_).first(kept);
  }
  Cut cut{.weight = undecided.front(), .ties = 0, .mass = mass};
  const auto equals = static_cast<int64_t>(undecided.size());
  while (cut.ties < equals && before + cut.ties < most && cut.mass <= mass_limit) {
    ++cut.ties;
    cut.mass += static_cast<double>(cut.weight);
  }
  return cut;
}

}  // namespace tessera::sampling
