#include "eval/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "plot/bar_chart.h"
#include "plot/chart.h"
#include "plot/page.h"
#include "plot/svg.h"
#include "plot/table.h"

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
  plot::Table table;
  const std::vector<Column> shown = columns(rows);
  for (const Column& column : shown)
    table.head.emplace_back(column.title);
  for (const ComparedRow& row : rows) {
    auto& cells = table.rows.emplace_back();
    for (const Column& column : shown)
      cells.push_back(column.cell(row));
  }
  return plot::to_html(table);
}

std::string bars(std::span<const ComparedRow> rows, const char* title,
                 const std::function<std::optional<double>(const ComparedRow&)>& value) {
  std::vector<plot::Bar> shown;
  for (const ComparedRow& row : rows) {
    if (const auto height = value(row)) shown.push_back({row.name, *height});
  }
  return shown.empty() ? "" : plot::bar_chart(title, shown);
}

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
  plot::Series points{.name = "models", .mark = plot::Mark::kDots};
  for (const ComparedRow& row : rows) {
    if (row.mean_kl) points.points.push_back({static_cast<double>(row.bytes) / 1e6, *row.mean_kl, row.name});
  }
  std::string html =
      fmt::format("<p>Perplexity and divergence on {}; divergence from {}.</p>\n", plot::escape_html(text),
                  plot::escape_html(rows.empty() ? "" : rows[0].name));
  html += html_table(rows);
  if (!points.points.empty()) {
    html += plot::chart({.title = "Mean divergence against size",
                         .x = {.name = "MB of weights"},
                         .y = {.name = "mean KL, nats", .log = true},
                         .series = {std::move(points)},
                         .labels = true});
  }
  html += bars(rows, "Perplexity", [](const ComparedRow& row) { return std::optional(row.perplexity); });
  html += bars(rows, "GSM8K accuracy", [](const ComparedRow& row) { return row.accuracy; });
  html += bars(rows, "Prefill, tokens per second",
               [](const ComparedRow& row) { return std::optional(row.speed.prefill_tokens_per_s); });
  html += bars(rows, "Decode, tokens per second",
               [](const ComparedRow& row) { return std::optional(row.speed.decode_tokens_per_s); });
  return plot::html_page("Models compared", html);
}

}  // namespace tessera::eval
