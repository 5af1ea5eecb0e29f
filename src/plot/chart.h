// Chart: series over two axes as SVG text, to be put into a page: lines, dots, and dashed bounds, with a
// legend. A pure function.
//
//   chart({.title = "Throughput", .x = {.name = "concurrency", .log = true, .ticks = {1, 4, 16}},
//          .y = {.name = "tokens/s"}, .series = {{.name = "w4a8", .points = {{1, 30}, {4, 90}, {16,
//          200}}}}});
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tessera::plot {

struct Axis {
  std::string name;
  bool log = false;                // values below a millionth of the largest are drawn there
  std::vector<double> ticks = {};  // empty: round numbers
};

struct Point {
  double x = 0, y = 0;
  std::string name = {};  // shown beside it (Chart::labels), or when the pointer rests on it
};

enum class Mark : uint8_t { kLine, kDots, kBound };

struct Series {
  std::string name;
  Mark mark = Mark::kLine;
  std::vector<Point> points = {};  // a line goes through them in this order
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series = {};
  bool labels = false;  // the points' names beside them instead of a legend
};

/// Points that are not finite are left out. Linear axes begin at 0.
std::string chart(const Chart& chart);

}  // namespace tessera::plot
