// A page of tables and drawings in one file that opens without a network. A pure function.
#pragma once

#include <string>
#include <string_view>

namespace tessera::plot {

/// `body` is HTML; `title` is text and becomes the heading too. The page forbids every request
/// (Content-Security-Policy).
std::string html_page(std::string_view title, std::string_view body);

}  // namespace tessera::plot
