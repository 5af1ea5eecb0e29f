#include "sampling/weight_cut.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace tessera::sampling {
namespace {

// Weights are in (0, 1], so their bits rank like the weights, and 30 of them say all: 10 a pass.
constexpr int kBitsPerPass = 10;
// So few are sorted faster than a table is emptied and walked.
constexpr size_t kSorted = 128;
static_assert(std::bit_cast<uint32_t>(1.0F) >> (2 * kBitsPerPass) < 1024);

size_t bucket_of(float weight, int shift) {
  return (std::bit_cast<uint32_t>(weight) >> shift) & ((1U << kBitsPerPass) - 1);
}

}  // namespace

void WeightCut::fill(int shift) {
  // A short list waits for nothing that emptying four tables would not cost more than.
  used_tables_ = undecided_.size() < kBuckets ? 1 : kTables;
  for (size_t table = 0; table < used_tables_; ++table)
    tables_[table].fill({});
  for (size_t i = 0; i < undecided_.size(); ++i) {
    Bucket& bucket = tables_[i & (used_tables_ - 1)][bucket_of(undecided_[i], shift)];
    bucket.mass += static_cast<double>(undecided_[i]);
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

/// Keeps those of the bucket `border`, without a branch that nobody can predict.
void WeightCut::narrow(int shift, size_t border) {
  size_t kept = 0;
  for (size_t i = 0; i < undecided_.size(); ++i) {
    const float weight = undecided_[i];
    undecided_[kept] = weight;
    kept += bucket_of(weight, shift) == border ? 1 : 0;
  }
  undecided_.resize(kept);
}

Cut WeightCut::find(std::span<const float> weights, int64_t most, double mass_limit) {
  // All others rank before these and stay, or behind and do not.
  undecided_.assign(weights.begin(), weights.end());
  int64_t before = 0;
  double mass = 0;
  int shift = 2 * kBitsPerPass;
  for (; shift >= 0 && undecided_.size() > kSorted; shift -= kBitsPerPass) {
    fill(shift);
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
      const float least = *std::ranges::min_element(undecided_);
      return {.weight = least, .ties = std::ranges::count(undecided_, least), .mass = mass};
    }
    narrow(shift, border);
  }
  if (shift >= 0) std::ranges::sort(undecided_, std::greater<>());  // else they are all equal
  Cut cut{.weight = 0, .ties = 0, .mass = mass};
  for (const float weight : undecided_) {
    if (before == most || cut.mass > mass_limit) break;
    cut.ties = weight == cut.weight ? cut.ties + 1 : 1;
    cut.weight = weight;
    cut.mass += static_cast<double>(weight);
    ++before;
  }
  return cut;
}

}  // namespace tessera::sampling
