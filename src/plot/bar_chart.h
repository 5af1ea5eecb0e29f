// Horizontal bars as SVG text, to be put into a page. A pure function.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera::plot {

struct Bar {
  std::string name;
  double value = 0;
};

/// Bars from 0, each with its name and value. One that is infinite or no number has text alone.
std::string bar_chart(std::string_view title, std::span<const Bar> bars);

}  // namespace tessera::plot
