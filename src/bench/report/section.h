// Sections of a report: what each kind of result file becomes. A kind is a file of this folder and a row of
// the table in report.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report/result_value.h"
#include "plot/table.h"

namespace tessera::bench {

struct Section {
  std::string title;
  std::vector<std::string> notes = {};  // paragraphs of plain text
  plot::Table table = {};
  std::vector<std::string> charts = {};  // SVG
};

/// Results of one kind. What is wrong with one is kept by them, not by the section.
/// They come in the order of their files' names; ResultValue::where() begins with that name.
using Results = std::span<const ResultValue>;

/// Processors, versions and peaks, of files that have `machine`.
Section machine_section(Results results);
/// `tessera bench kernels --json`: roofline and table.
Section kernels_section(Results results);
/// `tessera bench latency --json`: prefill and decode, as medians over files that measured the same.
Section latency_section(Results results);
/// The same files: nz beside nd where both were measured, and what weights take in each scheme. No rows: none
/// was.
Section layout_section(Results results);
Section weight_bytes_section(Results results);
/// Lines of `tessera bench serving`, or of SGLang's bench_serving.
Section serving_section(Results results);
/// `tessera eval compare --json`.
Section quality_section(Results results);
/// `bench/peers/run`.
Section peer_speeds_section(Results results);
Section peer_loads_section(Results results);
/// `tests/memory/run --samples`.
Section memory_section(Results results);

/// "-" for nothing.
std::string cell(const std::optional<double>& value, int decimals);
std::string percent_cell(const std::optional<double>& value);
std::string megabytes_cell(const std::optional<double>& bytes);

}  // namespace tessera::bench
