#include "bench/report/section.h"
#include "plot/chart.h"

namespace tessera::bench {

Section memory_section(Results results) {
  Section section{
      .title = "Memory while loading",
      .notes = {"Both copies: the checkpoint's tensors and the packed weights, which is what a loader that "
                "converts after reading holds; computed. Limit: packed weights, the largest tensor and a "
                "margin. Peak: the most that was resident; measured."},
      .table = {.head = {"load", "checkpoint MB", "packed MB", "both copies MB", "limit MB", "peak MB",
                         "peak / both", "seconds"},
                .rows = {}}};
  plot::Chart chart{.title = "Resident memory while loading", .x = {.name = "seconds"}, .y = {.name = "MB"}};
  for (const ResultValue& result : results) {
    for (const ResultValue& load : result.objects("memory_loads")) {
      const std::string title = load.text("title");
      const double packed = load.required("packed_bytes"), peak = load.required("peak_bytes");
      const auto checkpoint = load.number("checkpoint_bytes");
      std::optional<double> both, ratio;
      if (checkpoint) {
        both = *checkpoint + packed;
        ratio = peak / *both;
      }
      section.table.rows.push_back({title, megabytes_cell(checkpoint), megabytes_cell(packed),
                                    megabytes_cell(both), megabytes_cell(load.number("limit_bytes")),
                                    megabytes_cell(peak), cell(ratio, 2), cell(load.number("seconds"), 2)});
      plot::Series line{.name = title};
      for (const auto& [seconds, bytes] : load.pairs("samples"))
        line.points.push_back({seconds, bytes / 1e6});
      if (!line.points.empty()) chart.series.push_back(std::move(line));
    }
  }
  if (!chart.series.empty()) section.charts.push_back(plot::chart(chart));
  return section;
}

}  // namespace tessera::bench
