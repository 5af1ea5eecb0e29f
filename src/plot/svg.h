// Pieces of SVG and HTML that the charts of this folder are made of. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tessera::plot {

inline constexpr double kWidth = 860;  // of every drawing, pixels

/// `text` with what HTML reads as markup written as entities.
std::string escape_html(std::string_view text);

/// Opens a drawing of kWidth by `height` with its title; "</svg>\n" ends it.
std::string open_svg(double height, std::string_view title);

/// `anchor`: "start", "middle" or "end" of the text is at x; y is its baseline.
std::string label(double x, double y, std::string_view anchor, std::string_view text);

/// The first `most` characters, the last of them an ellipsis where there were more.
std::string shortened(std::string_view text, size_t most);

/// Three or four significant digits, without an exponent between 0.001 and ten million: "0.0123", "1536".
std::string short_number(double value);

}  // namespace tessera::plot
