// Table: cells of text, as HTML and as Markdown. A value.
#pragma once

#include <string>
#include <vector>

namespace tessera::plot {

struct Table {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;  // each as wide as `head`
};

/// The first column stands to the left, the others to the right.
std::string to_html(const Table& table);
std::string to_markdown(const Table& table);

}  // namespace tessera::plot
