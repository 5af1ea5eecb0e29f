// Sections of `tessera bench latency --json`. Files that measured the same are repetitions: their medians
// count.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "bench/report/section.h"
#include "bench/sample.h"
#include "plot/bar_chart.h"
#include "plot/chart.h"

namespace tessera::bench {
namespace {

/// What was measured: one line of a table.
struct Key {
  std::string model, scheme, layout;
  int64_t prompt = 0, batch = 0;
  auto operator<=>(const Key&) const = default;

  std::string line() const { return fmt::format("{} {}, prompt {}", scheme, layout, prompt); }
};

struct Figures {
  Sample prefill, prefill_of_peak, decode, decode_of_bandwidth, decode_of_peak;
};

struct Weights {
  double packed_bytes = 0, bytes_per_token = 0;
};

struct Latencies {
  std::map<Key, Figures> runs;
  std::map<std::tuple<std::string, std::string, std::string>, Weights> weights;  // of model, scheme, layout
};

void add(Sample& sample, const ResultValue& run, const char* name) {
  if (const auto value = run.number(name)) sample.add(*value);
}

void read_file(const ResultValue& result, Latencies& latencies) {
  Key key;
  key.model = fmt::format("{}, {:.0f} layers", result.text("model"), result.required("layers"));
  key.scheme = result.text("scheme");
  key.layout = result.text("layout");
  latencies.weights[{key.model, key.scheme, key.layout}] = {
      .packed_bytes = result.required("packed_bytes"), .bytes_per_token = result.required("bytes_per_token")};
  for (const ResultValue& run : result.objects("runs")) {
    if (!run.text("skipped").empty()) continue;
    key.batch = static_cast<int64_t>(run.required("batch"));
    key.prompt = static_cast<int64_t>(run.required("prompt"));
    Figures& figures = latencies.runs[key];
    add(figures.prefill, run, "prefill_tokens_per_s");
    add(figures.prefill_of_peak, run, "fraction_of_peak");
    add(figures.decode, run, "decode_tokens_per_s");
    add(figures.decode_of_bandwidth, run, "fraction_of_bandwidth");
    add(figures.decode_of_peak, run, "decode_fraction_of_peak");
  }
}

Latencies read_files(Results results) {
  Latencies latencies;
  for (const ResultValue& result : results)
    read_file(result, latencies);
  return latencies;
}

std::optional<double> median(const Sample& sample) {
  return sample.empty() ? std::nullopt : std::optional(sample.median());
}

/// Lines over the batch, in the order in which they first come.
struct OverBatch {
  std::vector<plot::Series> lines;
  std::set<double> batches;

  void add(const std::string& name, int64_t batch, const std::optional<double>& value) {
    if (!value) return;
    auto line = std::ranges::find(lines, name, &plot::Series::name);
    if (line == lines.end()) line = lines.insert(lines.end(), plot::Series{.name = name});
    line->points.push_back({static_cast<double>(batch), *value});
    batches.insert(static_cast<double>(batch));
  }

  std::string chart(const std::string& title, const char* unit) const {
    plot::Chart chart{.title = title,
                      .x = {.name = "sequences in the batch",
                            .log = true,
                            .ticks = std::vector<double>(batches.begin(), batches.end())},
                      .y = {.name = unit},
                      .series = lines};
    return plot::chart(chart);
  }
};

}  // namespace

Section latency_section(Results results) {
  const Latencies latencies = read_files(results);
  Section section{
      .title = "Prefill and decode",
      .notes =
          {"Of peak: multiply-adds of the linears against the loop that bounds them. Of bandwidth: bytes of "
           "weights against what memory delivers."},
      .table = {.head = {"model", "scheme", "layout", "prompt", "batch", "prefill tok/s", "of peak",
                         "decode tok/s", "of bandwidth", "of peak"},
                .rows = {}}};
  std::map<std::string, std::pair<OverBatch, OverBatch>> charts;  // per model: prefill, decode
  for (const auto& [key, figures] : latencies.runs) {
    section.table.rows.push_back(
        {key.model, key.scheme, key.layout, std::to_string(key.prompt), std::to_string(key.batch),
         cell(median(figures.prefill), 1), percent_cell(median(figures.prefill_of_peak)),
         cell(median(figures.decode), 1), percent_cell(median(figures.decode_of_bandwidth)),
         percent_cell(median(figures.decode_of_peak))});
    auto& [prefill, decode] = charts[key.model];
    prefill.add(key.line(), key.batch, median(figures.prefill));
    decode.add(key.line(), key.batch, median(figures.decode));
  }
  for (const auto& [model, of] : charts) {
    section.charts.push_back(of.first.chart("Prefill: " + model, "tokens/s"));
    section.charts.push_back(of.second.chart("Decode: " + model, "tokens/s of all sequences"));
  }
  return section;
}

Section layout_section(Results results) {
  const Latencies latencies = read_files(results);
  Section section{.title = "Tiles (nz) against rows (nd)",
                  .notes = {},
                  .table = {.head = {"model", "scheme", "prompt", "batch", "prefill nd", "prefill nz",
                                     "nz / nd", "decode nd", "decode nz", "nz / nd"},
                            .rows = {}}};
  std::map<std::string, OverBatch> charts;
  for (const auto& [key, rows] : latencies.runs) {
    Key other = key;
    other.layout = "nz";
    const auto tiles = latencies.runs.find(other);
    if (key.layout != "nd" || tiles == latencies.runs.end()) continue;
    const auto ratio = [](const Sample& nz, const Sample& nd) {
      return nd.median() > 0 ? std::optional(nz.median() / nd.median()) : std::nullopt;
    };
    const auto prefill = ratio(tiles->second.prefill, rows.prefill),
               decode = ratio(tiles->second.decode, rows.decode);
    section.table.rows.push_back(
        {key.model, key.scheme, std::to_string(key.prompt), std::to_string(key.batch),
         cell(median(rows.prefill), 1), cell(median(tiles->second.prefill), 1), cell(prefill, 2),
         cell(median(rows.decode), 1), cell(median(tiles->second.decode), 1), cell(decode, 2)});
    OverBatch& chart = charts[key.model];
    chart.add(fmt::format("{} prefill, prompt {}", key.scheme, key.prompt), key.batch, prefill);
    chart.add(fmt::format("{} decode, prompt {}", key.scheme, key.prompt), key.batch, decode);
  }
  for (const auto& [model, chart] : charts)
    section.charts.push_back(chart.chart("Speed in tiles over speed in rows: " + model, "nz / nd"));
  return section;
}

Section weight_bytes_section(Results results) {
  const Latencies latencies = read_files(results);
  Section section{
      .title = "Memory of the weights",
      .notes = {"As packed for the kernels, embeddings and output head included."},
      .table = {.head = {"model", "scheme", "layout", "MB", "MB read per token", "of w8a8"}, .rows = {}}};
  std::map<std::string, std::vector<plot::Bar>> charts;
  for (const auto& [of, weights] : latencies.weights) {
    const auto& [model, scheme, layout] = of;
    const auto base = latencies.weights.find({model, "w8a8", layout});
    const auto ratio = base == latencies.weights.end()
                           ? std::nullopt
                           : std::optional(weights.packed_bytes / base->second.packed_bytes);
    section.table.rows.push_back({model, scheme, layout, megabytes_cell(weights.packed_bytes),
                                  megabytes_cell(weights.bytes_per_token), cell(ratio, 3)});
    charts[model].push_back(
        {.name = fmt::format("{} {}", scheme, layout), .value = weights.packed_bytes / 1e6});
  }
  for (const auto& [model, bars] : charts) {
    if (bars.size() > 1) section.charts.push_back(plot::bar_chart("MB of weights: " + model, bars));
  }
  return section;
}

}  // namespace tessera::bench
