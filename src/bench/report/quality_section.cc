#include "bench/report/section.h"
#include "plot/chart.h"

namespace tessera::bench {

Section quality_section(Results results) {
  Section section{
      .title = "Quality",
      .notes = {"KL: how far a model's predictions are from those of the first model of its file."},
      .table = {
          .head = {"model", "scheme", "layout", "MB", "perplexity", "mean KL", "p99 KL", "same top", "GSM8K"},
          .rows = {}}};
  plot::Series dots{.name = "models", .mark = plot::Mark::kDots};
  for (const ResultValue& result : results) {
    for (const ResultValue& model : result.objects("models")) {
      const std::string name = model.text("name");
      const double bytes = model.required("bytes");
      const auto kl = model.number("mean_kl");
      section.table.rows.push_back({name, model.text("scheme"), model.text("layout"), cell(bytes / 1e6, 1),
                                    cell(model.number("perplexity"), 3), cell(kl, 5),
                                    cell(model.number("p99_kl"), 4), cell(model.number("top1_agreement"), 4),
                                    cell(model.number("accuracy"), 3)});
      if (kl) dots.points.push_back({bytes / 1e6, *kl, name});
    }
  }
  if (!dots.points.empty()) {
    section.charts.push_back(plot::chart({.title = "Mean divergence against size",
                                          .x = {.name = "MB of weights"},
                                          .y = {.name = "mean KL, nats", .log = true},
                                          .series = {std::move(dots)},
                                          .labels = true}));
  }
  return section;
}

}  // namespace tessera::bench
