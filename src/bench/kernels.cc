#include "bench/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <utility>

#include "bench/kernel_run.h"
#include "bench/peak_meter.h"

namespace tessera::bench {
namespace {

constexpr int kMachineRepeats = 5;
constexpr double kRoundSeconds = 0.004;  // of the kernel in a round: a timer's error is far below
constexpr size_t kMinRounds = 5;
constexpr int kMaxRepeats = 100'000;

Result<std::vector<KernelCase>> choose_cases(const KernelOptions& options) {
  std::vector<KernelCase> cases;
  for (auto* const group : {linear_cases, attention_cases, moe_cases, row_cases})
    std::ranges::move(group(), std::back_inserter(cases));
  try {
    const std::regex pattern(options.pattern);
    std::erase_if(cases, [&](const KernelCase& one) {
      if (!options.pattern.empty()) return !std::regex_search(one.id(), pattern);
      return !options.all && !one.selected;
    });
  } catch (const std::regex_error& error) {
    return invalid_argument("--case {}: {}", options.pattern, error.what());
  }
  if (cases.empty()) {
    return invalid_argument(
        "--case {}: no case matches, expected a part of e.g. linear/w4a8/nz/qwen3-0.6b.down/m512",
        options.pattern);
  }
  return cases;
}

/// Runs `body` so often that it takes about kRoundSeconds; seconds per run.
class Repeated {
 public:
  template <class Run>
  Result<double> seconds(Run& run) {
    Status status;
    const double seconds = seconds_of([&] {
      for (int i = 0; i < repeats_ && status; ++i)
        status = run.run();
    });
    TRY_STATUS(std::move(status));
    const double each = seconds / repeats_;
    repeats_ = static_cast<int>(std::clamp(kRoundSeconds / each, 1.0, double{kMaxRepeats}));
    return each;
  }

 private:
  int repeats_ = 1;
};

class Bench {
 public:
  Bench(int threads, double seconds) : seconds_(seconds), pool_(threads), meter_(pool_) {
    auto opened = OneDnn::open(threads);
    if (opened) {
      onednn_ = std::move(*opened);
    } else {
      why_no_onednn_ = opened.error().message();
    }
  }

  const std::string& why_no_onednn() const { return why_no_onednn_; }

  Result<KernelResult> measure(const KernelCase& one) {
    KernelResult result;
    result.kernel = one.kernel;
    result.name = one.name;
    result.scheme = one.scheme;
    result.layout = one.layout;
    result.m = one.m;
    result.n = one.n;
    result.k = one.k;
    auto made = one.make(pool_);
    if (!made) {
      if (made.error().code() != ErrorCode::kUnsupported) return std::move(made).error();
      result.skipped = made.error().message();
      return result;
    }
    KernelRun& run = **made;
    result.detail = run.detail;
    std::unique_ptr<OneDnn::Matmul> yardstick;
    if (onednn_ && one.make_onednn) {
      if (auto matmul = one.make_onednn(*onednn_)) yardstick = std::move(*matmul);
    }
    TRY_STATUS(measure_rounds(run, yardstick.get(), result));
    return result;
  }

 private:
  Status measure_rounds(KernelRun& run, OneDnn::Matmul* yardstick, KernelResult& result) {
    Repeated ours, theirs;
    // The first run touches every page, the second tells how often a round runs it.
    for (int i = 0; i < 2; ++i) {
      static_cast<void>(TRY(ours.seconds(run)));
      if (yardstick != nullptr) static_cast<void>(TRY(theirs.seconds(*yardstick)));
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto spent = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
    };
    while (result.gmacs.size() < kMinRounds || spent().count() < seconds_)
      TRY_STATUS(measure_round(run, yardstick, ours, theirs, result));
    return {};
  }

  Status measure_round(KernelRun& run, OneDnn::Matmul* yardstick, Repeated& ours, Repeated& theirs,
                       KernelResult& result) {
    const double multiply = run.loop == nullptr ? 0 : run.macs / meter_.macs_per_second(*run.loop);
    const MemoryLevel level = run.from_caches ? meter_.level_of(run.bytes) : MemoryLevel::kDram;
    const double read = run.bytes / meter_.bytes_per_second(level);
    result.bound = run.loop != nullptr && multiply >= read ? run.loop->name : name_of(level);
    const double seconds = TRY(ours.seconds(run));
    result.gmacs.add(run.macs / seconds / 1e9);
    result.gbs.add(run.bytes / seconds / 1e9);
    result.fraction_of_peak.add(std::max(multiply, read) / seconds);
    if (yardstick != nullptr) {
      const double their_seconds = TRY(theirs.seconds(*yardstick));
      result.ratio_to_onednn.add(their_seconds / seconds);
    }
    return {};
  }

  double seconds_;
  ThreadPool pool_;
  PeakMeter meter_;
  std::unique_ptr<OneDnn> onednn_;
  std::string why_no_onednn_;
};

nlohmann::ordered_json number(const Sample& sample) {
  if (sample.empty()) return nullptr;
  return std::round(sample.median() * 1e4) / 1e4;
}

nlohmann::ordered_json result_json(const KernelResult& result, const Machine& machine) {
  nlohmann::ordered_json json = {{"kernel", result.kernel},
                                 {"name", result.name},
                                 {"scheme", result.scheme},
                                 {"layout", result.layout},
                                 {"isa", machine.isa},
                                 {"threads", machine.threads},
                                 {"m", result.m},
                                 {"n", result.n},
                                 {"k", result.k},
                                 {"detail", result.detail},
                                 {"bound", result.bound},
                                 {"gmacs", number(result.gmacs)},
                                 {"gbs", number(result.gbs)},
                                 {"fraction_of_peak", number(result.fraction_of_peak)},
                                 {"spread", std::round(result.fraction_of_peak.spread() * 1e4) / 1e4},
                                 {"ratio_to_onednn", number(result.ratio_to_onednn)}};
  if (!result.skipped.empty()) json["skipped"] = result.skipped;
  return json;
}

}  // namespace

std::string KernelCase::id() const {
  return fmt::format("{}/{}/{}/{}/m{}", kernel, scheme, layout, name, m);
}

Result<KernelReport> measure_kernels(const KernelOptions& options,
                                     const std::function<void(const KernelReport&)>& on_result) {
  const std::vector<KernelCase> cases = TRY(choose_cases(options));
  const int threads = options.threads > 0 ? options.threads : default_thread_count();
  KernelReport report{.machine = measure_machine(threads, kMachineRepeats),
                      .seconds = options.seconds,
                      .onednn = {},
                      .results = {}};
  Bench bench(threads, options.seconds);
  report.onednn = bench.why_no_onednn();
  for (const KernelCase& one : cases) {
    report.results.push_back(TRY(bench.measure(one).context(one.id())));
    on_result(report);
  }
  return report;
}

nlohmann::ordered_json to_json(const KernelReport& report) {
  nlohmann::ordered_json cases = nlohmann::ordered_json::array();
  for (const KernelResult& result : report.results)
    cases.push_back(result_json(result, report.machine));
  nlohmann::ordered_json json = {
      {"machine", to_json(report.machine)}, {"seconds", report.seconds}, {"cases", std::move(cases)}};
  if (!report.onednn.empty()) json["onednn"] = report.onednn;
  return json;
}

std::string head_text(const KernelReport& report) {
  return fmt::format(
      "{}oneDNN: {}\n"
      "Weights come from memory: copies that exceed the last-level cache {} times take turns.\n"
      "{:58} {:>9} {:>7} {:>9} {:>6}  {:10} {:>8}  {}\n",
      to_text(report.machine),
      report.onednn.empty() ? "its matmul, activations quantized beforehand" : report.onednn, kCopiesOfCache,
      "case", "GMAC/s", "GB/s", "of bound", "+-", "bound", "x oneDNN", "kernel");
}

std::string line_text(const KernelResult& result) {
  const std::string id =
      fmt::format("{}/{}/{}/{}/m{}", result.kernel, result.scheme, result.layout, result.name, result.m);
  if (!result.skipped.empty()) return fmt::format("{:58} skipped: {}\n", id, result.skipped);
  const std::string ratio =
      result.ratio_to_onednn.empty() ? "-" : fmt::format("{:.2f}", result.ratio_to_onednn.median());
  return fmt::format("{:58} {:>9.1f} {:>7.1f} {:>7.0f} % {:>4.0f} %  {:10} {:>8}  {}\n", id,
                     result.gmacs.median(), result.gbs.median(), result.fraction_of_peak.median() * 100,
                     result.fraction_of_peak.spread() * 100, result.bound, ratio, result.detail);
}

}  // namespace tessera::bench
