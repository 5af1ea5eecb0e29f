#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "bench/report/section.h"
#include "plot/chart.h"

namespace tessera::bench {
namespace {

struct Run {
  std::string series;
  double concurrency = 0;  // as asked for, or as it came about
  std::map<std::string, double> figures;
};

struct Figure {
  const char* key;
  const char* title;
  int decimals;
};
constexpr Figure kFigures[] = {{"request_rate", "requests/s asked", 1},
                               {"completed", "completed", 0},
                               {"duration", "seconds", 1},
                               {"request_throughput", "requests/s", 2},
                               {"output_throughput", "output tok/s", 1},
                               {"total_throughput", "total tok/s", 1},
                               {"median_ttft_ms", "TTFT median ms", 0},
                               {"p99_ttft_ms", "TTFT p99 ms", 0},
                               {"median_tpot_ms", "TPOT median ms", 1},
                               {"median_itl_ms", "ITL median ms", 1},
                               {"p95_itl_ms", "ITL p95 ms", 1},
                               {"p99_itl_ms", "ITL p99 ms", 1}};

/// A request rate without bound is null, or "inf".
std::optional<double> figure(const ResultValue& result, const char* key) {
  const auto at = result.json().find(key);
  if (at != result.json().end() && at->is_string()) return std::optional<double>();
  return result.number(key);
}

Run read_run(const ResultValue& result) {
  Run run;
  for (const Figure& one : kFigures) {
    if (const auto value = figure(result, one.key)) run.figures[one.key] = *value;
  }
  const auto asked = result.number("max_concurrency");
  run.concurrency = asked ? *asked : result.required("concurrency");
  run.series = result.text("tag");
  // "runs.jsonl:3" without a tag: the file is the series.
  if (run.series.empty()) run.series = result.where().substr(0, result.where().rfind(':'));
  return run;
}

struct Line {
  const char* key;
  const char* suffix;  // of the series' name
};

plot::Series line_of(const std::vector<Run>& runs, const std::string& name, const Line& line) {
  plot::Series series{.name = name + line.suffix};
  for (const Run& run : runs) {
    const auto value = run.figures.find(line.key);
    if (run.series == name && value != run.figures.end())
      series.points.push_back({run.concurrency, value->second});
  }
  std::ranges::stable_sort(series.points, {}, &plot::Point::x);
  return series;
}

std::string over_concurrency(const std::vector<Run>& runs, const char* title, const char* unit, bool log,
                             std::initializer_list<Line> lines) {
  std::set<std::string> names;
  std::set<double> concurrencies;
  for (const Run& run : runs) {
    names.insert(run.series);
    concurrencies.insert(run.concurrency);
  }
  plot::Chart chart{.title = title,
                    .x = {.name = "concurrent requests",
                          .log = true,
                          .ticks = std::vector<double>(concurrencies.begin(), concurrencies.end())},
                    .y = {.name = unit, .log = log}};
  for (const std::string& name : names) {
    for (const Line& line : lines) {
      plot::Series series = line_of(runs, name, line);
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
  }
  return plot::chart(chart);
}

}  // namespace

Section serving_section(Results results) {
  Section section{.title = "Serving",
                  .notes = {"Measured by clients: TTFT from sending to the first text, ITL between pieces of "
                            "text, TPOT the rest of an answer by its tokens."},
                  .table = {.head = {"run", "concurrency"}, .rows = {}}};
  std::vector<Run> runs;
  for (const ResultValue& result : results)
    runs.push_back(read_run(result));
  for (const Figure& one : kFigures)
    section.table.head.emplace_back(one.title);
  for (const Run& run : runs) {
    std::vector<std::string> row = {run.series, cell(run.concurrency, 0)};
    for (const Figure& one : kFigures) {
      const auto value = run.figures.find(one.key);
      row.push_back(value == run.figures.end() ? "-" : cell(value->second, one.decimals));
    }
    section.table.rows.push_back(std::move(row));
  }
  section.charts = {
      over_concurrency(runs, "Throughput against concurrency", "output tokens/s", false,
                       {{"output_throughput", ""}}),
      over_concurrency(runs, "Time to the first token", "ms", true,
                       {{"median_ttft_ms", ", median"}, {"p99_ttft_ms", ", p99"}}),
      over_concurrency(runs, "Time between tokens", "ms", true,
                       {{"median_itl_ms", ", median"}, {"p95_itl_ms", ", p95"}, {"p99_itl_ms", ", p99"}})};
  return section;
}

}  // namespace tessera::bench
