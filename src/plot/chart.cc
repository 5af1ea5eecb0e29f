#include "plot/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "plot/svg.h"

namespace tessera::plot {
namespace {

constexpr double kLeft = 70, kTop = 46, kPlotHeight = 320, kBottom = 52, kLegend = 250, kRow = 18;
constexpr double kLetter = 7;  // an average letter's width
constexpr size_t kNameLength = 34;
constexpr double kSmallest = 1e-6;  // of the largest, on a logarithmic axis
// Okabe and Ito's colours, which colour-blind people tell apart; yellow is too pale on white.
constexpr std::array<const char*, 7> kInks = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                              "#e69f00", "#56b4e9", "#444444"};

/// The look of the series number `index`: behind the last ink lines begin again, dotted.
const char* ink_of(size_t index) {
  return kInks.at(index % kInks.size());
}
const char* dashes_of(const Series& series, size_t index) {
  if (series.mark == Mark::kBound) return " stroke-dasharray=\"6 4\"";
  return index / kInks.size() % 2 == 1 ? " stroke-dasharray=\"2 3\"" : "";
}

bool finite(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

/// From values to pixels.
class Scale {
 public:
  Scale(const Axis& axis, std::vector<double> values, double first, double last)
      : log_(axis.log), first_(first), last_(last) {
    values.insert(values.end(), axis.ticks.begin(), axis.ticks.end());
    double most = values.empty() ? 1 : std::ranges::max(values);
    if (most <= 0) most = 1;
    if (!log_) {
      high_ = most * 1.05;
      ticks_ = axis.ticks.empty() ? linear_ticks(most) : axis.ticks;
      return;
    }
    smallest_ = most * kSmallest;
    double least = most;
    for (const double value : values)
      least = std::min(least, std::max(value, smallest_));
    if (axis.ticks.empty()) {
      ticks_ = log_ticks(least, most);
      low_ = std::log10(std::min(least, ticks_.front()));
      high_ = std::log10(std::max(most, ticks_.back()));
    } else {
      ticks_ = axis.ticks;
      low_ = std::log10(least / 1.15);
      high_ = std::log10(most * 1.15);
    }
    if (high_ <= low_) high_ = low_ + 1;
  }

  const std::vector<double>& ticks() const { return ticks_; }
  double place(double value) const {
    const double at = log_ ? std::log10(std::max(value, smallest_)) : value;
    return first_ + (last_ - first_) * (at - low_) / (high_ - low_);
  }

 private:
  static std::vector<double> linear_ticks(double most) {
    const double decade = std::pow(10, std::floor(std::log10(most / 4)));
    double step = decade;
    for (const double factor : {2.0, 5.0, 10.0}) {
      if (most / step > 6) step = decade * factor;
    }
    std::vector<double> ticks;
    for (int i = 0; i * step <= most * 1.05; ++i)
      ticks.push_back(i * step);
    return ticks;
  }

  /// Decades around the values; 1, 2, 5 where that would be fewer than three.
  static std::vector<double> log_ticks(double least, double most) {
    const bool fine = most / least < 100;
    std::vector<double> ticks;
    for (int decade = static_cast<int>(std::floor(std::log10(least)));
         decade <= static_cast<int>(std::ceil(std::log10(most))); ++decade) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor == 1 || fine) ticks.push_back(factor * std::pow(10, decade));
      }
    }
    const auto above = std::ranges::find_if(ticks, [&](double tick) { return tick >= most; });
    if (above != ticks.end()) ticks.erase(above + 1, ticks.end());
    while (ticks.size() > 2 && ticks[1] <= least)
      ticks.erase(ticks.begin());
    return ticks;
  }

  bool log_;
  double first_, last_, low_ = 0, high_ = 1, smallest_ = 0;
  std::vector<double> ticks_;
};

std::vector<double> values_of(const Chart& chart, double Point::* member) {
  std::vector<double> values;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      if (finite(point)) values.push_back(point.*member);
    }
  }
  return values;
}

std::string grid_line(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x1,
                     y1, x2, y2);
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart),
        has_legend_(!chart.labels && chart.series.size() > 1),
        right_(kWidth - (has_legend_    ? kLegend
                         : chart.labels ? 160
                                        : 20)),
        x_(chart.x, values_of(chart, &Point::x), kLeft, right_),
        y_(chart.y, values_of(chart, &Point::y), kTop + kPlotHeight, kTop) {}

  std::string draw() const {
    const double legend_height = has_legend_ ? kRow * static_cast<double>(chart_.series.size()) : 0;
    std::string svg = open_svg(kTop + std::max(kPlotHeight, legend_height) + kBottom, chart_.title);
    svg += axes();
    size_t index = 0;
    for (const Series& series : chart_.series)
      svg += draw_series(series, index++);
    if (has_legend_) svg += legend();
    if (chart_.labels) svg += labels();
    return svg + "</svg>\n";
  }

 private:
  std::string axes() const {
    const double bottom = kTop + kPlotHeight;
    std::string svg;
    double free_from = 0;  // no label of the x axis runs into the one before
    for (const double tick : x_.ticks()) {
      const double at = x_.place(tick);
      const std::string text = short_number(tick);
      const double half = static_cast<double>(text.size()) * kLetter / 2;
      svg += grid_line(at, kTop, at, bottom);
      if (at - half < free_from) continue;
      svg += label(at, bottom + 18, "middle", text);
      free_from = at + half + 6;
    }
    for (const double tick : y_.ticks()) {
      svg += grid_line(kLeft, y_.place(tick), right_, y_.place(tick));
      svg += label(kLeft - 6, y_.place(tick) + 4, "end", short_number(tick));
    }
    svg += label((kLeft + right_) / 2, bottom + 40, "middle", chart_.x.name);
    return svg + label(0, kTop - 10, "start", chart_.y.name);
  }

  std::string draw_series(const Series& series, size_t index) const {
    const char* ink = ink_of(index);
    std::string path, dots;
    for (const Point& point : series.points) {
      if (!finite(point)) continue;
      const double x = x_.place(point.x), y = y_.place(point.y);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x, y);
      if (series.mark == Mark::kBound) continue;
      // A line of hundreds of samples has no dots: they would be a worm.
      if (series.mark == Mark::kLine && series.points.size() > 40) continue;
      dots += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\" fill-opacity=\"0.85\"><title>{}</title>"
          "</circle>\n",
          x, y, ink, escape_html(title_of(series, point)));
    }
    if (series.mark == Mark::kDots || path.empty()) return dots;
    return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", path, ink,
                       dashes_of(series, index)) +
           dots;
  }

  static std::string title_of(const Series& series, const Point& point) {
    return fmt::format("{}: {}, {}", point.name.empty() ? series.name : point.name, short_number(point.x),
                       short_number(point.y));
  }

  std::string legend() const {
    std::string svg;
    double y = kTop + 10;
    size_t index = 0;
    for (const Series& series : chart_.series) {
      const char* ink = ink_of(index);
      const double x = right_ + 16;
      if (series.mark == Mark::kDots) {
        svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", x + 9, y - 4, ink);
      } else {
        svg += fmt::format(
            "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
            "stroke-width=\"2\"{}/>\n",
            x, y - 4, x + 18, y - 4, ink, dashes_of(series, index));
      }
      svg += label(x + 24, y, "start", shortened(series.name, kNameLength - 2));
      y += kRow;
      ++index;
    }
    return svg;
  }

  /// Names beside the points, moved down where one would lie on another.
  std::string labels() const {
    struct Place {
      double x, y;
      std::string text;
      double end() const { return x + static_cast<double>(text.size()) * kLetter; }
    };
    std::vector<Place> places;
    for (const Series& series : chart_.series) {
      for (const Point& point : series.points) {
        if (finite(point))
          places.push_back(
              {x_.place(point.x) + 9, y_.place(point.y) + 4, shortened(point.name, kNameLength)});
      }
    }
    std::ranges::stable_sort(places, {}, &Place::y);
    std::string svg;
    for (size_t at = 0; at < places.size(); ++at) {
      Place& place = places[at];
      for (const Place& before : std::span(places).first(at)) {
        const bool beside = place.x > before.end() || before.x > place.end();
        if (!beside && place.y < before.y + kRow - 4) place.y = before.y + kRow - 4;
      }
      svg += label(place.x, place.y, "start", place.text);
    }
    return svg;
  }

  const Chart& chart_;
  bool has_legend_;
  double right_;
  Scale x_, y_;
};

}  // namespace

std::string chart(const Chart& chart) {
  return Drawing(chart).draw();
}

}  // namespace tessera::plot
