#include "bench/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/thread_pool.h"
#include "bench/peak_meter.h"
#include "tessera_version.h"

namespace tessera::bench {
namespace {

std::vector<int> thread_steps(int threads) {
  std::vector<int> steps;
  for (int step = 1; step < threads; step *= 2)
    steps.push_back(step);
  steps.push_back(threads);
  return steps;
}

PeaksAt measure_at(int threads, int repeats) {
  ThreadPool pool(threads);
  PeakMeter meter(pool);
  PeaksAt peaks{.threads = threads, .values = {}};
  std::vector<const kernels::PeakLoop*> loops;
  for (const kernels::PeakLoop& loop : kernels::peak_loops()) {
    if (loop.isa <= detect_isa()) loops.push_back(&loop);
  }
  for (const auto* loop : loops)
    peaks.values.emplace_back(fmt::format("{}_gmacs", loop->name), Sample());
  for (const char* key : {"dram_gbs", "l3_gbs", "l2_gbs"})
    peaks.values.emplace_back(key, Sample());
  for (int i = 0; i < repeats; ++i) {
    size_t at = 0;
    for (const auto* loop : loops)
      peaks.values[at++].second.add(meter.macs_per_second(*loop) / 1e9);
    peaks.values[at++].second.add(meter.dram_bytes_per_second() / 1e9);
    peaks.values[at++].second.add(meter.l3_bytes_per_second() / 1e9);
    peaks.values[at++].second.add(meter.l2_bytes_per_second() / 1e9);
  }
  return peaks;
}

/// "Linux 6.1.0-40-amd64"
std::string system_name() {
  utsname name{};
  return uname(&name) == 0 ? fmt::format("{} {}", name.sysname, name.release) : "";
}

/// One decimal is all that a measurement is worth.
double rounded(double value) {
  return std::round(value * 10) / 10;
}

nlohmann::ordered_json peaks_json(const PeaksAt& peaks) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [key, sample] : peaks.values)
    json[key] = rounded(sample.median());
  return json;
}

}  // namespace

double PeaksAt::median(std::string_view key) const {
  const auto found =
      std::ranges::find(values, key, [](const auto& value) -> std::string_view { return value.first; });
  return found == values.end() ? 0 : found->second.median();
}

Machine measure_machine(int threads, int repeats) {
  Machine machine{.cpu = std::string(cpu_name()),
                  .isa = std::string(isa_name(active_isa())),
                  .threads = threads,
                  .peaks = {}};
  for (const int step : thread_steps(threads))
    machine.peaks.push_back(measure_at(step, repeats));
  return machine;
}

nlohmann::ordered_json to_json(const Machine& machine) {
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const PeaksAt& peaks : machine.peaks) {
    nlohmann::ordered_json step = {{"threads", peaks.threads}};
    step.update(peaks_json(peaks));
    steps.push_back(std::move(step));
  }
  return {{"cpu", machine.cpu},
          {"isa", machine.isa},
          {"threads", machine.threads},
          {"system", system_name()},
          {"tessera", fmt::format("{} ({})", kVersion, kCommit)},
          {"compiler", kCompiler},
          {"peaks", peaks_json(machine.peak())},
          {"peaks_by_threads", std::move(steps)}};
}

std::string to_text(const Machine& machine) {
  std::string text = fmt::format("{}, isa {}, {} threads; medians, and half of what 80 % of the runs span\n",
                                 machine.cpu, machine.isa, machine.threads);
  for (const PeaksAt& peaks : machine.peaks) {
    text += fmt::format("{:>3} thread{} ", peaks.threads, peaks.threads == 1 ? ": " : "s:");
    for (const auto& [key, sample] : peaks.values) {
      const size_t unit = key.rfind('_');
      text += fmt::format(" {} {:.0f} {} +-{:.0f} %,", key.substr(0, unit), sample.median(),
                          key.ends_with("gmacs") ? "GMAC/s" : "GB/s", sample.spread() * 100);
    }
    text.back() = '\n';
  }
  return text;
}

}  // namespace tessera::bench
