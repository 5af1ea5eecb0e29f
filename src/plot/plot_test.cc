#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "plot/bar_chart.h"
#include "plot/chart.h"
#include "plot/page.h"
#include "plot/svg.h"
#include "plot/table.h"

namespace tessera::plot {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Values of every `name="..."` in order.
std::vector<double> attributes(const std::string& svg, const std::string& name) {
  std::vector<double> values;
  for (size_t at = svg.find(" " + name + "=\""); at != std::string::npos;
       at = svg.find(" " + name + "=\"", at + 1))
    values.push_back(std::stod(svg.substr(at + name.size() + 3)));
  return values;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(Svg, TextIsEscapedAndShortened) {
  EXPECT_EQ(escape_html("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde…");
  EXPECT_EQ(shortened("äöüäöü", 6), "äöüäöü") << "characters count, not bytes";
  EXPECT_EQ(shortened("äöüäöüä", 6), "äöüäö…");
}

TEST(Svg, NumbersAreShort) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.01234), "0.01234");
  EXPECT_EQ(short_number(1536), "1536");
  EXPECT_EQ(short_number(123456), "123456");
  EXPECT_EQ(short_number(2e-5), "2e-05");
  EXPECT_EQ(short_number(kInfinity), "inf");
}

TEST(Chart, PointsLieWhereTheirValuesAre) {
  const std::string svg = chart({.title = "t",
                                 .x = {.name = "x", .log = true, .ticks = {1, 10, 100}},
                                 .y = {.name = "y"},
                                 .series = {{.name = "s", .points = {{1, 0}, {10, 5}, {100, 10}}}}});
  const auto xs = attributes(svg, "cx"), ys = attributes(svg, "cy");
  ASSERT_EQ(xs.size(), 3U);
  EXPECT_NEAR(xs[1] - xs[0], xs[2] - xs[1], 0.2) << "decades are equally far apart";
  EXPECT_NEAR(ys[0] - ys[1], ys[1] - ys[2], 0.2);
  EXPECT_GT(ys[0], ys[2]) << "up is more";
}

TEST(Chart, StaysInsideItsBorders) {
  for (const bool log : {false, true}) {
    const std::string svg =
        chart({.title = "t",
               .x = {.name = "x", .log = log},
               .y = {.name = "y", .log = log},
               .series = {{.name = "a", .mark = Mark::kDots, .points = {{3, 0}, {40, 1e-9}, {1e4, 7e5}}},
                          {.name = "b", .points = {{kInfinity, 1}, {1, NAN}, {2, 2}}}}});
    const auto xs = attributes(svg, "cx"), ys = attributes(svg, "cy");
    for (const double x : xs) {
      EXPECT_GE(x, 0) << log;
      EXPECT_LE(x, kWidth) << log;
    }
    for (const double y : ys)
      EXPECT_TRUE(y >= 0 && y <= 450) << y;
    EXPECT_EQ(count(svg, "nan") + count(svg, "inf"), 0U) << svg;
    EXPECT_EQ(count(svg, "<title>b:"), 1U) << "what is no number is left out";
  }
}

TEST(Chart, WithoutPointsOrWithOneIsDrawn) {
  EXPECT_EQ(count(chart({.title = "t", .x = {.name = "x"}, .y = {.name = "y"}}), "nan"), 0U);
  const std::string one = chart({.title = "t",
                                 .x = {.name = "x", .log = true},
                                 .y = {.name = "y", .log = true},
                                 .series = {{.name = "s", .points = {{5, 5}}}}});
  EXPECT_EQ(count(one, "<circle"), 1U);
  EXPECT_EQ(count(one, "nan") + count(one, "inf"), 0U) << one;
}

TEST(Chart, LabelsDoNotLieOnOneAnother) {
  const std::string svg =
      chart({.title = "",
             .x = {.name = ""},
             .y = {.name = ""},
             .series = {{.name = "s",
                         .mark = Mark::kDots,
                         .points = {{5, 5, "one"}, {5, 5, "two"}, {5.01, 5.01, "three"}}}},
             .labels = true});
  std::vector<double> heights;
  for (const char* name : {">one<", ">two<", ">three<"}) {
    const size_t end = svg.find(name);
    ASSERT_NE(end, std::string::npos) << name;
    heights.push_back(std::stod(svg.substr(svg.rfind(" y=\"", end) + 4)));
  }
  std::ranges::sort(heights);
  EXPECT_GT(heights[1] - heights[0], 12);
  EXPECT_GT(heights[2] - heights[1], 12);
}

TEST(BarChart, InfinitiesHaveTextAlone) {
  const std::vector<Bar> bars = {{"a", kInfinity}, {"b", 10}, {"c", 5}};
  const std::string svg = bar_chart("t", bars);
  const auto widths = attributes(svg.substr(svg.find("<rect")), "width");
  ASSERT_EQ(widths.size(), 3U);
  EXPECT_EQ(widths[0], 0);
  EXPECT_NEAR(widths[1], 2 * widths[2], 0.2);
  EXPECT_NE(svg.find(">inf<"), std::string::npos);
}

TEST(Table, CellsCannotBreakOut) {
  const Table table{.head = {"a", "b"}, .rows = {{"x|y\nz", "<script>"}}};
  EXPECT_EQ(to_markdown(table), "| a | b |\n|---|---:|\n| x\\|y z | &lt;script> |\n");
  EXPECT_NE(to_html(table).find("<td>&lt;script&gt;</td>"), std::string::npos);
}

TEST(Page, ForbidsRequests) {
  const std::string page = html_page("a<b", "<p>body</p>");
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("<h1>a&lt;b</h1>"), std::string::npos);
  EXPECT_EQ(page.find("://"), std::string::npos);
}

}  // namespace
}  // namespace tessera::plot
