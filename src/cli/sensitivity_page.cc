#include "cli/sensitivity_page.h"

#include <fmt/format.h>

#include <vector>

#include "compress/auto/auto_report.h"
#include "plot/bar_chart.h"
#include "plot/chart.h"
#include "plot/page.h"
#include "plot/svg.h"

namespace tessera::cli {
namespace {

constexpr size_t kShownUnits = 40;

double megabytes(uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace

std::string sensitivity_page(const compress::AutoReport& report) {
  const auto point = [](const compress::CurvePoint& at) {
    return plot::Point{.x = megabytes(at.bytes), .y = at.kl, .name = fmt::format("{:.4g}", at.kl)};
  };
  plot::Series predicted{.name = "sum of what the units cost alone", .mark = plot::Mark::kBound};
  plot::Series measured{.name = "measured", .mark = plot::Mark::kLine};
  for (const compress::CurvePoint& at : report.predicted)
    predicted.points.push_back(point(at));
  for (const compress::CurvePoint& at : report.measured)
    measured.points.push_back(point(at));
  const plot::Series chosen{.name = fmt::format("chosen: {:.4g}", report.chosen.kl),
                            .mark = plot::Mark::kDots,
                            .points = {point(report.chosen)}};
  std::vector<plot::Bar> bars;
  for (const size_t index : compress::promotion_order(report.units)) {
    if (bars.size() == kShownUnits) break;
    bars.push_back({.name = report.units[index].name, .value = report.units[index].kl});
  }
  const std::string curve = plot::chart({.title = "KL of the mixture against the checkpoint's size",
                                         .x = {.name = "MB"},
                                         .y = {.name = "KL, nats", .log = true},
                                         .series = {predicted, measured, chosen}});
  const std::string units = plot::bar_chart(
      fmt::format("KL when it alone is {}: the first {} to be promoted", report.low, bars.size()), bars);
  return plot::html_page(
      fmt::format("{} or {}", report.low, report.high),
      fmt::format(
          "<p>KL of the next token's distribution, mean of {} tokens; weights rounded to nearest.</p>\n"
          "{}\n{}\n<pre>{}</pre>\n",
          report.tokens, curve, units, plot::escape_html(compress::to_text(report))));
}

}  // namespace tessera::cli
