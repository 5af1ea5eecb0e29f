#include <algorithm>

#include "bench/report/section.h"

namespace tessera::bench {

Section machine_section(Results results) {
  Section section{
      .title = "Machines",
      .notes = {"Peaks as measured by the runs themselves, on all their threads."},
      .table = {.head = {"file", "cpu", "isa", "threads", "system", "tessera", "compiler"}, .rows = {}}};
  std::vector<std::string> peaks;  // columns, as they first come
  std::vector<ResultValue> machines;
  for (const ResultValue& result : results) {
    machines.push_back(result.object("machine"));
    const ResultValue values = machines.back().object("peaks");
    for (const auto& peak : values.json().items()) {
      if (std::ranges::find(peaks, peak.key()) == peaks.end()) peaks.push_back(peak.key());
    }
  }
  section.table.head.insert(section.table.head.end(), peaks.begin(), peaks.end());
  for (size_t at = 0; at < results.size(); ++at) {
    const ResultValue& machine = machines[at];
    std::vector<std::string> row = {results[at].where()};
    for (const char* name : {"cpu", "isa"})
      row.push_back(machine.text(name));
    row.push_back(cell(machine.number("threads"), 0));
    for (const char* name : {"system", "tessera", "compiler"})
      row.push_back(machine.text(name));
    const ResultValue values = machine.object("peaks");
    for (const std::string& peak : peaks)
      row.push_back(cell(values.number(peak), 0));
    section.table.rows.push_back(std::move(row));
  }
  return section;
}

}  // namespace tessera::bench
