#include "quant/scheme.h"

#include <fmt/format.h>

namespace tessera::quant {

std::string LinearScheme::name() const {
  const char* change = transformed ? "-transformed" : "";
  if (is_float()) return fmt::format("{}{}", weight.bits == 32 ? "f32" : "bf16", change);
  const std::string group = weight.group_size == 0 ? "" : fmt::format("-g{}", weight.group_size);
  const std::string zero = weight.symmetric ? "" : "-asym";
  const std::string input = activation.group_size == 0 ? "" : fmt::format("-xg{}", activation.group_size);
  const char* fixed = activation.is_static ? "-static" : "";
  return fmt::format("w{}a{}{}{}{}{}{}", weight.bits, activation.bits, group, zero, input, fixed, change);
}

}  // namespace tessera::quant
