#include "quant/scheme.h"

#include <fmt/format.h>

namespace tessera::quant {

std::string LinearScheme::name() const {
  if (weight.bits == 32) return "f32";
  if (weight.bits == 16) return "bf16";
  const std::string group = weight.group_size == 0 ? "" : fmt::format("-g{}", weight.group_size);
  const std::string zero = weight.symmetric ? "" : "-asym";
  return fmt::format("w{}a{}{}{}", weight.bits, activation.bits, group, zero);
}

}  // namespace tessera::quant
