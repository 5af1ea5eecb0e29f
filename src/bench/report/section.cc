#include "bench/report/section.h"

#include <fmt/format.h>

namespace tessera::bench {

std::string cell(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

std::string percent_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} %", *value * 100) : "-";
}

std::string megabytes_cell(const std::optional<double>& bytes) {
  return bytes ? fmt::format("{:.0f}", *bytes / 1e6) : "-";
}

}  // namespace tessera::bench
