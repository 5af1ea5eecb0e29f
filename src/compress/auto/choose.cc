#include "compress/auto/choose.h"

#include <algorithm>
#include <numeric>

namespace tessera::compress {
namespace {

uint64_t extra_bytes(const UnitCost& unit) {
  return unit.high_bytes - std::min(unit.high_bytes, unit.low_bytes);
}

}  // namespace

std::vector<size_t> promotion_order(std::span<const UnitCost> units) {
  std::vector<size_t> order(units.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    // kl / bytes without a division, since a promotion may be free.
    return units[a].kl * static_cast<double>(extra_bytes(units[b])) >
           units[b].kl * static_cast<double>(extra_bytes(units[a]));
  });
  return order;
}

uint64_t mixture_bytes(std::span<const UnitCost> units, uint64_t other_bytes) {
  return std::accumulate(units.begin(), units.end(), other_bytes, [](uint64_t sum, const UnitCost& unit) {
    return sum + (unit.promoted ? unit.high_bytes : unit.low_bytes);
  });
}

Status promote_within(std::span<UnitCost> units, const Budget& budget, uint64_t other_bytes) {
  for (UnitCost& unit : units)
    unit.promoted = false;
  uint64_t used = mixture_bytes(units, other_bytes);
  double limit = budget.amount;
  if (budget.is_bits_per_weight) {
    uint64_t weights = 0;
    for (const UnitCost& unit : units)
      weights += unit.weights;
    limit = budget.amount * static_cast<double>(weights) / 8 + static_cast<double>(other_bytes);
  }
  if (static_cast<double>(used) > limit) {
    return invalid_argument("--budget: {:.1f} MB, expected at least {:.1f} MB (everything at the low scheme)",
                            limit / 1e6, static_cast<double>(used) / 1e6);
  }
  for (const size_t index : promotion_order(units)) {
    if (static_cast<double>(used + extra_bytes(units[index])) > limit) continue;
    used += extra_bytes(units[index]);
    units[index].promoted = true;
  }
  return {};
}

std::vector<CurvePoint> predicted_curve(std::span<const UnitCost> units, uint64_t other_bytes) {
  std::vector<UnitCost> state(units.begin(), units.end());
  double kl = 0;
  for (UnitCost& unit : state) {
    unit.promoted = false;
    kl += unit.kl;
  }
  std::vector<CurvePoint> curve{{.bytes = mixture_bytes(state, other_bytes), .kl = kl}};
  for (const size_t index : promotion_order(state)) {
    kl = std::max(kl - state[index].kl, 0.0);
    curve.push_back({.bytes = curve.back().bytes + extra_bytes(state[index]), .kl = kl});
  }
  return curve;
}

}  // namespace tessera::compress
