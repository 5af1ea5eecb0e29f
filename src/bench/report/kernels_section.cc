// The roofline: multiply-adds per second over multiply-adds per byte read. No kernel gets above what the
// processor multiplies, nor above what the memory that its operands lie in delivers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "bench/report/section.h"
#include "plot/chart.h"

namespace tessera::bench {
namespace {

constexpr std::array<std::string_view, 3> kLevels = {"dram", "l3", "l2"};

struct Dot {
  std::string scheme, bound;
  plot::Point point;  // [MAC per byte, GMAC/s]
};

bool is_level(std::string_view bound) {
  return std::ranges::find(kLevels, bound) != kLevels.end();
}

/// The peaks that bound one of `dots`, as far as the dots reach.
std::vector<plot::Series> bounds(const std::vector<Dot>& dots, const ResultValue& peaks) {
  std::vector<std::string> loops, levels;
  double left = dots.front().point.x, right = left, highest = 0;
  for (const Dot& dot : dots) {
    auto& names = is_level(dot.bound) ? levels : loops;
    if (!dot.bound.empty() && std::ranges::find(names, dot.bound) == names.end()) names.push_back(dot.bound);
    left = std::min(left, dot.point.x);
    right = std::max(right, dot.point.x);
  }
  std::vector<plot::Series> series;
  for (const std::string& loop : loops) {
    const auto peak = peaks.number(loop + "_gmacs");
    if (!peak) continue;
    highest = std::max(highest, *peak);
    series.push_back(
        {.name = loop + " peak", .mark = plot::Mark::kBound, .points = {{left, *peak}, {right, *peak}}});
  }
  for (const std::string& level : levels) {
    const auto rate = peaks.number(level + "_gbs");
    if (!rate || *rate <= 0) continue;
    const double end = highest > 0 ? std::clamp(highest / *rate, left, right) : right;
    series.push_back({.name = level + " bandwidth",
                      .mark = plot::Mark::kBound,
                      .points = {{left, left * *rate}, {end, end * *rate}}});
  }
  return series;
}

std::string roofline(const std::vector<Dot>& dots, const ResultValue& peaks) {
  plot::Chart chart{.title = "Roofline: kernels under the peaks that bound them",
                    .x = {.name = "multiply-adds per byte read", .log = true},
                    .y = {.name = "GMAC/s", .log = true},
                    .series = bounds(dots, peaks)};
  std::map<std::string, plot::Series> schemes;
  for (const Dot& dot : dots) {
    plot::Series& series = schemes[dot.scheme];
    series.name = dot.scheme;
    series.mark = plot::Mark::kDots;
    series.points.push_back(dot.point);
  }
  for (auto& [name, series] : schemes)
    chart.series.push_back(std::move(series));
  return plot::chart(chart);
}

}  // namespace

Section kernels_section(Results results) {
  Section section{
      .title = "Kernels",
      .notes = {"Of bound: the share of what multiplying, or reading the operands from where they "
                "lie, allows at most, measured in the same rounds."},
      .table = {.head = {"case", "kernel", "GMAC/s", "GB/s", "of bound", "+-", "bound", "x oneDNN"},
                .rows = {}}};
  std::vector<Dot> dots;
  for (const ResultValue& result : results) {
    for (const ResultValue& one : result.objects("cases")) {
      const std::string kernel = one.text("kernel"), scheme = one.text("scheme");
      const std::string id = fmt::format("{}/{}/{}/{}/m{:.0f}", kernel, scheme, one.text("layout"),
                                         one.text("name"), one.required("m"));
      const std::string skipped = one.text("skipped"), bound = one.text("bound");
      if (!skipped.empty()) {
        section.table.rows.push_back({id, "skipped: " + skipped, "-", "-", "-", "-", "-", "-"});
        continue;
      }
      const double gmacs = one.required("gmacs"), gbs = one.required("gbs");
      section.table.rows.push_back(
          {id, one.text("detail"), cell(gmacs, 1), cell(gbs, 1), percent_cell(one.number("fraction_of_peak")),
           percent_cell(one.number("spread")), bound, cell(one.number("ratio_to_onednn"), 2)});
      if (gmacs > 0 && gbs > 0)
        dots.push_back({.scheme = scheme.empty() ? kernel : fmt::format("{} {}", kernel, scheme),
                        .bound = bound,
                        .point = {gmacs / gbs, gmacs, id}});
    }
  }
  if (dots.empty()) return section;
  const ResultValue machine = results.front().object("machine");
  section.charts.push_back(roofline(dots, machine.object("peaks")));
  return section;
}

}  // namespace tessera::bench
