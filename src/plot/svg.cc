#include "plot/svg.h"

#include <fmt/format.h>

#include <cmath>

namespace tessera::plot {

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

std::string open_svg(double height, std::string_view title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" font-size=\"13\" fill=\"#222\" "
      "font-family=\"system-ui, sans-serif\">\n<text x=\"0\" y=\"18\" font-weight=\"bold\">{2}</text>\n",
      kWidth, height, escape_html(title));
}

std::string label(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     escape_html(text));
}

std::string shortened(std::string_view text, size_t most) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  size_t characters = 0, end = 0;  // of UTF-8: bytes that continue one do not count
  for (size_t at = 0; at < text.size(); ++at) {
    if (continues(text[at])) continue;
    if (++characters == most) end = at;
  }
  return characters <= most ? std::string(text) : std::string(text.substr(0, end)) + "…";
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (value == 0) return "0";
  if (!std::isfinite(value) || size < 1e-3 || size >= 1e7) return fmt::format("{:.3g}", value);
  return size >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

}  // namespace tessera::plot
