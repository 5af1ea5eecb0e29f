#include "plot/table.h"

#include <fmt/format.h>

#include "plot/svg.h"

namespace tessera::plot {
namespace {

/// A cell has one line, and no bar that would end it.
std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|' || c == '\\') cell += '\\';
    if (c == '<') {
      cell += "&lt;";
    } else {
      cell += c == '\n' || c == '\r' ? ' ' : c;
    }
  }
  return cell;
}

std::string markdown_line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells)
    line += " " + markdown_cell(cell) + " |";
  return line + "\n";
}

std::string html_line(const std::vector<std::string>& cells, const char* element) {
  std::string line = "<tr>";
  for (const std::string& cell : cells)
    line += fmt::format("<{0}>{1}</{0}>", element, escape_html(cell));
  return line + "</tr>\n";
}

}  // namespace

std::string to_html(const Table& table) {
  std::string html = "<table>\n" + html_line(table.head, "th");
  for (const auto& row : table.rows)
    html += html_line(row, "td");
  return html + "</table>\n";
}

std::string to_markdown(const Table& table) {
  std::string text = markdown_line(table.head) + "|";
  for (size_t i = 0; i < table.head.size(); ++i)
    text += i == 0 ? "---|" : "---:|";
  text += "\n";
  for (const auto& row : table.rows)
    text += markdown_line(row);
  return text;
}

}  // namespace tessera::plot
