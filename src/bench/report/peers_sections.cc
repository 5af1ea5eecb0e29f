// Sections of what bench/peers/run writes: {"peers": {"speeds": {MODEL: {ENGINE: {CASE: [a number or a
// message per round]}}}, "loads": {MODEL: {ENGINE: {FIGURE: [the same]}}}}}.
#include <algorithm>
#include <functional>

#include "bench/report/section.h"
#include "bench/sample.h"
#include "plot/bar_chart.h"

namespace tessera::bench {
namespace {

/// Median and spread of the rounds that gave a number; or the first message.
std::string figures_cell(const nlohmann::json& rounds, Sample& sample) {
  std::string message;
  for (const nlohmann::json& one : rounds) {
    if (one.is_number()) sample.add(one.get<double>());
    if (one.is_string() && message.empty()) message = one.get<std::string>();
  }
  if (sample.empty()) return message.empty() ? "-" : "did not run: " + message;
  return fmt::format("{:.{}f} +-{:.0f} %", sample.median(), sample.median() < 10 ? 3 : 1,
                     sample.spread() * 100);
}

/// Calls `row` with model, engine, figure's name and rounds of everything below `name`.
void for_each(const ResultValue& result, const char* name,
              const std::function<void(const std::string&, const std::string&, const std::string&,
                                       const nlohmann::json&)>& row) {
  const ResultValue models = result.object("peers").object(name);
  for (const auto& model : models.json().items()) {
    const ResultValue engines = models.object(model.key());
    for (const auto& engine : engines.json().items()) {
      const ResultValue figures = engines.object(engine.key());
      for (const auto& figure : figures.json().items())
        row(model.key(), engine.key(), figure.key(), figure.value());
    }
  }
}

Section section_of(Results results, const char* part, Section section, const char* title) {
  std::vector<std::pair<std::string, std::vector<plot::Bar>>> charts;  // by model and case, as they come
  for (const ResultValue& result : results) {
    for_each(result, part,
             [&](const auto& model, const auto& engine, const auto& figure, const auto& rounds) {
               Sample sample;
               section.table.rows.push_back({model, figure, engine, figures_cell(rounds, sample)});
               if (sample.empty()) return;
               const std::string name = fmt::format("{} {}, {}", title, model, figure);
               auto chart =
                   std::ranges::find(charts, name, &std::pair<std::string, std::vector<plot::Bar>>::first);
               if (chart == charts.end()) chart = charts.insert(charts.end(), {name, {}});
               chart->second.push_back({.name = engine, .value = sample.median()});
             });
  }
  std::ranges::stable_sort(section.table.rows, {}, [](const auto& row) { return std::pair(row[0], row[1]); });
  for (const auto& [name, bars] : charts)
    section.charts.push_back(plot::bar_chart(name, bars));
  return section;
}

}  // namespace

Section peer_speeds_section(Results results) {
  return section_of(
      results, "speeds",
      {.title = "Beside other engines",
       .notes =
           {"ppN: a prompt of N tokens; tgNbB: N tokens for each of B sequences. Tokens per second of all "
            "sequences; medians of interleaved processes."},
       .table = {.head = {"model", "case", "engine", "tokens/s"}, .rows = {}}},
      "Tokens/s:");
}

Section peer_loads_section(Results results) {
  return section_of(results, "loads",
                    {.title = "Loading beside other engines",
                     .notes = {"load_s: from files that no cache holds; restart_s: again at once (Tessera: "
                               "the packed file, mapped); "
                               "load_peak_mb and resident_mb: memory at most, and when loaded."},
                     .table = {.head = {"model", "figure", "engine", "value"}, .rows = {}}},
                    "Loading");
}

}  // namespace tessera::bench
