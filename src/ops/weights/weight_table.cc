#include "ops/weights/weight_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace tessera::ops {
namespace {

// Pointers, not copies: those objects belong to other files, whose initialization may come later.
constexpr const WeightKind* kKinds[] = {&kIntegerWeights,     &kIntegerRowWeights, &kUnpackedBf16Weights,
                                        &kUnpackedF32Weights, &kBf16Weights,       &kBf16RowWeights,
                                        &kF32Weights};

/// Those of the wanted layout first; within a layout as in the table.
std::vector<const WeightKind*> in_order(WeightLayout wanted) {
  std::vector<const WeightKind*> order;
  for (const bool first : {true, false}) {
    for (const WeightKind* kind : weight_kinds()) {
      if ((kind->layout == wanted) == first) order.push_back(kind);
    }
  }
  return order;
}

}  // namespace

std::span<const WeightKind* const> weight_kinds() {
  return kKinds;
}

const WeightKind* find_weight_kind(std::string_view name) {
  const auto found =
      std::ranges::find(weight_kinds(), name, [](const WeightKind* kind) { return kind->name; });
  return found == weight_kinds().end() ? nullptr : *found;
}

Result<const WeightKind*> choose_weight_kind(const quant::LinearScheme& scheme, int64_t in,
                                             const PackOptions& options) {
  std::string why;
  for (const WeightKind* kind : in_order(options.layout)) {
    const std::string refusal = kind->refusal(scheme, in, options.kind);
    if (refusal.empty()) return kind;
    if (why.empty()) why = refusal;
  }
  return unsupported("scheme {}: {}", scheme.name(), why);
}

Result<int64_t> planned_weight_bytes(const quant::LinearScheme& scheme, int64_t out, int64_t in,
                                     const PackOptions& options) {
  const WeightKind* kind = TRY(choose_weight_kind(scheme, in, options));
  return kind->bytes(scheme, out, in);
}

std::string explain_weight_kind(const quant::LinearScheme& scheme, int64_t in, const PackOptions& options) {
  std::string refusals;
  for (const WeightKind* kind : in_order(options.layout)) {
    const std::string refusal = kind->refusal(scheme, in, options.kind);
    if (refusal.empty()) return fmt::format("{}{}", kind->name, refusals);
    refusals += fmt::format("; not {}: {}", kind->name, refusal);
  }
  return fmt::format("nothing{}", refusals);
}

}  // namespace tessera::ops
