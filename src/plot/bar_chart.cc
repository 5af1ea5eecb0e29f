#include "plot/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plot/svg.h"

namespace tessera::plot {
namespace {

constexpr double kRow = 26, kTitle = 30, kNames = 300, kValues = 80;
constexpr size_t kNameLength = 42;

}  // namespace

std::string bar_chart(std::string_view title, std::span<const Bar> bars) {
  double most = 0;
  for (const Bar& bar : bars) {
    if (std::isfinite(bar.value)) most = std::max(most, bar.value);
  }
  std::string svg = open_svg(kTitle + kRow * static_cast<double>(bars.size()), title);
  double y = kTitle;
  for (const Bar& bar : bars) {
    const double share = std::isfinite(bar.value) && most > 0 ? std::max(bar.value / most, 0.0) : 0;
    const double width = (kWidth - kNames - kValues) * share;
    svg += label(kNames - 8, y + kRow * 0.65, "end", shortened(bar.name, kNameLength));
    svg +=
        fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#0072b2\"/>\n",
                    kNames, y + 3, width, kRow - 6);
    svg += label(kNames + width + 6, y + kRow * 0.65, "start", short_number(bar.value));
    y += kRow;
  }
  return svg + "</svg>\n";
}

}  // namespace tessera::plot
