#include "eval/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace tessera::eval {
namespace {

constexpr double kWidth = 720, kRow = 26, kTitle = 30, kNames = 220, kValues = 80;
constexpr double kPlotHeight = 300, kMargin = 60;
constexpr const char* kInk = "#2b6cb0";

std::string open_svg(double height, std::string_view title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" font-size=\"13\" "
      "font-family=\"system-ui, sans-serif\">\n<text x=\"0\" y=\"18\" font-weight=\"bold\">{2}</text>\n",
      kWidth, height, escape_html(title));
}

std::string label(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escape_html(text));
}

std::string line(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#bbb\"/>\n", x1,
                     y1, x2, y2);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string bar_chart(std::string_view title, std::span<const Bar> bars) {
  double most = 0;
  for (const Bar& bar : bars)
    most = std::max(most, bar.value);
  std::string svg = open_svg(kTitle + kRow * static_cast<double>(bars.size()), title);
  double y = kTitle;
  for (const Bar& bar : bars) {
    // A value that is infinite or no number has no bar; its text says it.
    const double share =
        std::isfinite(bar.value) && std::isfinite(most) && most > 0 ? std::max(bar.value / most, 0.0) : 0;
    const double width = (kWidth - kNames - kValues) * share;
    svg += label(kNames - 8, y + kRow * 0.65, "end", bar.name);
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                       kNames, y + 3, width, kRow - 6, kInk);
    svg += label(kNames + width + 6, y + kRow * 0.65, "start", fmt::format("{:.4g}", bar.value));
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string scatter_plot(std::string_view title, std::string_view x_name, std::string_view y_name,
                         std::span<const Point> points) {
  double most_x = 0, most_y = 0;
  for (const Point& point : points) {
    if (std::isfinite(point.x)) most_x = std::max(most_x, point.x);
    if (std::isfinite(point.y)) most_y = std::max(most_y, point.y);
  }
  if (most_x <= 0) most_x = 1;
  if (most_y <= 0) most_y = 1;
  constexpr double kSmallest = 1e-6;
  const auto height_of = [&](double y) {
    return std::isfinite(y) ? std::max(y, most_y * kSmallest) : most_y;
  };
  double least_y = most_y / 10;
  for (const Point& point : points)
    least_y = std::min(least_y, height_of(point.y));
  const double top = std::ceil(std::log10(most_y)), bottom = std::floor(std::log10(least_y));
  const auto place_x = [&](double x) { return kMargin + (kWidth - 3 * kMargin) * x / (most_x * 1.1); };
  const auto place_y = [&](double log_y) {
    return kTitle + kPlotHeight * (top - log_y) / std::max(top - bottom, 1.0);
  };

  std::string svg = open_svg(kTitle + kPlotHeight + kMargin, title);
  for (double decade = bottom; decade <= top; ++decade) {
    svg += line(kMargin, place_y(decade), kWidth - kMargin, place_y(decade));
    svg += label(kMargin - 6, place_y(decade) + 4, "end", fmt::format("{:.0e}", std::pow(10, decade)));
  }
  svg += label(kWidth / 2, kTitle + kPlotHeight + 40, "middle", x_name);
  svg += label(kWidth - kMargin, kTitle - 8, "end", y_name);
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0})
    svg += label(place_x(most_x * share), kTitle + kPlotHeight + 20, "middle",
                 fmt::format("{:.3g}", most_x * share));
  for (const Point& point : points) {
    const double x = place_x(point.x), y = place_y(std::log10(height_of(point.y)));
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n", x, y, kInk);
    svg += label(x + 9, y + 4, "start", point.name);
  }
  return svg + "</svg>\n";
}

}  // namespace tessera::eval
