// Small plots as SVG text, to be put into a page: bars, and points with a logarithmic height. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera::eval {

struct Bar {
  std::string name;
  double value = 0;
};

struct Point {
  std::string name;
  double x = 0, y = 0;
};

/// `text` with what HTML reads as markup written as entities.
std::string escape_html(std::string_view text);

/// Horizontal bars from 0, each with its name and value.
std::string bar_chart(std::string_view title, std::span<const Bar> bars);

/// Points with their names; y is logarithmic, and values below a millionth of the largest are drawn there.
std::string scatter_plot(std::string_view title, std::string_view x_name, std::string_view y_name,
                         std::span<const Point> points);

}  // namespace tessera::eval
