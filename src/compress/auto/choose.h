// Which units are promoted, from what each costs in bytes and what rounding it alone costs in KL. Pure
// functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compress/auto/auto_options.h"

namespace tessera::compress {

struct UnitCost {
  std::string name;                        // units.h
  uint64_t low_bytes = 0, high_bytes = 0;  // of its tensors in the file
  uint64_t weights = 0;                    // numbers in its matrices
  double kl = 0;                           // of the output, when it alone is at the low scheme
  bool promoted = false;
};

struct CurvePoint {
  uint64_t bytes = 0;  // of the whole checkpoint
  double kl = 0;
};

/// Indices of `units` in the order in which they are promoted: by falling KL per additional byte.
std::vector<size_t> promotion_order(std::span<const UnitCost> units);

/// The whole checkpoint, `other_bytes` of which are not the units'.
uint64_t mixture_bytes(std::span<const UnitCost> units, uint64_t other_bytes);

/// Promotes, in that order, whatever still fits. kInvalidArgument when not even the low scheme does.
Status promote_within(std::span<UnitCost> units, const Budget& budget, uint64_t other_bytes);

/// The checkpoint after each promotion in that order: KL is the sum of what is left, which takes the units'
/// losses for independent.
std::vector<CurvePoint> predicted_curve(std::span<const UnitCost> units, uint64_t other_bytes);

}  // namespace tessera::compress
