#include "eval/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "eval/svg_plot.h"

namespace tessera::eval {
namespace {

struct Column {
  const char* title;
  std::function<std::string(const ComparedRow&)> cell;
};

std::string number(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

/// Columns that no row has a figure for are left out.
std::vector<Column> columns(std::span<const ComparedRow> rows) {
  std::vector<Column> all = {
      {"model", [](const ComparedRow& row) { return row.name; }},
      {"scheme", [](const ComparedRow& row) { return row.scheme; }},
      {"layout", [](const ComparedRow& row) { return row.layout; }},
      {"MB",
       [](const ComparedRow& row) { return fmt::format("{:.1f}", static_cast<double>(row.bytes) / 1e6); }},
      {"perplexity", [](const ComparedRow& row) { return number(row.perplexity, 3); }},
      {"mean KL", [](const ComparedRow& row) { return number(row.mean_kl, 5); }},
      {"p99 KL", [](const ComparedRow& row) { return number(row.p99_kl, 4); }},
      {"same top", [](const ComparedRow& row) { return number(row.top1_agreement, 4); }},
      {"GSM8K", [](const ComparedRow& row) { return number(row.accuracy, 3); }},
      {"invalid", [](const ComparedRow& row) { return number(row.invalid, 3); }},
      {"prefill tok/s", [](const ComparedRow& row) { return number(row.speed.prefill_tokens_per_s, 0); }},
      {"decode tok/s", [](const ComparedRow& row) { return number(row.speed.decode_tokens_per_s, 1); }},
  };
  std::erase_if(all, [&](const Column& column) {
    return std::ranges::all_of(rows, [&](const ComparedRow& row) { return column.cell(row) == "-"; });
  });
  return all;
}

std::string html_table(std::span<const ComparedRow> rows) {
  std::string html = "<table>\n<tr>";
  const std::vector<Column> shown = columns(rows);
  for (const Column& column : shown)
    html += fmt::format("<th>{}</th>", column.title);
  for (const ComparedRow& row : rows) {
    html += "</tr>\n<tr>";
    for (const Column& column : shown)
      html += fmt::format("<td>{}</td>", escape_html(column.cell(row)));
  }
  return html + "</tr>\n</table>\n";
}

std::string bars(std::span<const ComparedRow> rows, const char* title,
                 const std::function<std::optional<double>(const ComparedRow&)>& value) {
  std::vector<Bar> shown;
  for (const ComparedRow& row : rows) {
    if (const auto height = value(row)) shown.push_back({row.name, *height});
  }
  return shown.empty() ? "" : bar_chart(title, shown);
}

constexpr const char* kStyle = R"(<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .3em .7em; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left } svg { display: block; margin: 1.5em 0; max-width: 100% }
</style>
)";

}  // namespace

nlohmann::ordered_json to_json(std::span<const ComparedRow> rows) {
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  for (const ComparedRow& row : rows) {
    nlohmann::ordered_json json = {{"name", row.name},
                                   {"scheme", row.scheme},
                                   {"layout", row.layout},
                                   {"bytes", row.bytes},
                                   {"perplexity", row.perplexity}};
    if (row.mean_kl) json["mean_kl"] = *row.mean_kl;
    if (row.p99_kl) json["p99_kl"] = *row.p99_kl;
    if (row.top1_agreement) json["top1_agreement"] = *row.top1_agreement;
    if (row.accuracy) json["accuracy"] = *row.accuracy;
    if (row.invalid) json["invalid"] = *row.invalid;
    json["prefill_tokens_per_s"] = row.speed.prefill_tokens_per_s;
    json["decode_tokens_per_s"] = row.speed.decode_tokens_per_s;
    models.push_back(std::move(json));
  }
  return {{"models", std::move(models)}};
}

std::string to_text(std::span<const ComparedRow> rows) {
  const std::vector<Column> shown = columns(rows);
  std::vector<std::vector<std::string>> lines(rows.size() + 1);
  for (const Column& column : shown) {
    lines[0].emplace_back(column.title);
    for (size_t row = 0; row < rows.size(); ++row)
      lines[row + 1].push_back(column.cell(rows[row]));
  }
  std::vector<size_t> widths(shown.size());
  for (const auto& line : lines) {
    for (size_t column = 0; column < line.size(); ++column)
      widths[column] = std::max(widths[column], line[column].size());
  }
  std::string text;
  for (const auto& line : lines) {
    text += fmt::format("{:<{}}", line[0], widths[0]);
    for (size_t column = 1; column < line.size(); ++column)
      text += fmt::format("  {:>{}}", line[column], widths[column]);
    text += '\n';
  }
  return text;
}

std::string to_html(std::span<const ComparedRow> rows, const std::string& text) {
  std::vector<Point> points;
  for (const ComparedRow& row : rows) {
    if (row.mean_kl) points.push_back({row.name, static_cast<double>(row.bytes) / 1e6, *row.mean_kl});
  }
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Models compared</title>\n";
  html += kStyle;
  html += fmt::format(
      "</head><body>\n<h1>Models compared</h1>\n<p>Perplexity and divergence on {}; divergence from "
      "{}.</p>\n",
      escape_html(text), escape_html(rows.empty() ? "" : rows[0].name));
  html += html_table(rows);
  if (!points.empty())
    html += scatter_plot("Mean divergence against size", "MB of weights", "mean KL, nats", points);
  html += bars(rows, "Perplexity", [](const ComparedRow& row) { return std::optional(row.perplexity); });
  html += bars(rows, "GSM8K accuracy", [](const ComparedRow& row) { return row.accuracy; });
  html += bars(rows, "Prefill, tokens per second",
               [](const ComparedRow& row) { return std::optional(row.speed.prefill_tokens_per_s); });
  html += bars(rows, "Decode, tokens per second",
               [](const ComparedRow& row) { return std::optional(row.speed.decode_tokens_per_s); });
  return html + "</body></html>\n";
}

}  // namespace tessera::eval
