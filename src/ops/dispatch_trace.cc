#include "ops/dispatch_trace.h"

#include <fmt/format.h>

#include "ops/weights/weight_table.h"

namespace tessera::ops {
namespace {

std::string_view layout_name(WeightLayout layout) {
  return layout == WeightLayout::kNz ? "nz" : "nd";
}

}  // namespace

std::string stronger_isas(std::string_view kernel, Isa active, Isa detected) {
  const size_t slash = kernel.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view name = kernel.substr(0, slash);
  const auto used = parse_isa(kernel.substr(slash + 1));
  if (!used) return {};
  std::string reasons;
  for (const Isa isa : all_isas()) {
    if (isa <= *used) continue;
    const std::string why = isa > detected ? "this CPU lacks it"
                            : isa > active ? fmt::format("TESSERA_ISA={}", isa_name(active))
                                           : fmt::format("{} has no such variant", name);
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", isa_name(isa), why);
  }
  return reasons;
}

std::string describe_dispatch(const Linear& linear, const PackOptions& options) {
  const auto kind = choose_weight_kind(linear.scheme(), linear.in(), options);
  const std::string_view kernel = linear.weights().kernel();
  std::string reasons = stronger_isas(kernel, active_isa(), detect_isa());
  // "KIND; not OTHER: why; not ANOTHER: why": the kind itself is seen in the kernel's name.
  const std::string kinds = explain_weight_kind(linear.scheme(), linear.in(), options);
  if (const size_t refused = kinds.find(';'); refused != std::string::npos)
    reasons += kinds.substr(reasons.empty() ? refused + 2 : refused);
  return fmt::format("[{}, {}] {} {}: {}{}", linear.out(), linear.in(), linear.scheme().name(),
                     layout_name(kind ? (*kind)->layout : options.layout), kernel,
                     reasons.empty() ? "" : " (" + reasons + ")");
}

}  // namespace tessera::ops
