#include "bench/latency.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "base/timeline.h"
#include "bench/fill_cache.h"
#include "bench/model_work.h"
#include "bench/peak_meter.h"
#include "engine/available_memory.h"
#include "formats/json_limits.h"
#include "kernels/argmax/argmax.h"
#include "models/loader/dummy_checkpoint.h"
#include "models/model.h"

namespace tessera::bench {
namespace {

constexpr int32_t kPageSize = 64;          // tokens; as the engine's
constexpr int32_t kMaxPrefillRows = 2048;  // of one step
constexpr size_t kMinRuns = 3;
constexpr int32_t kMinSteps = 16;
constexpr int32_t kStepsPerPeak = 8;  // decode steps between two measurements of the peaks
constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;
constexpr int kMachineRepeats = 5;
// A third of the memory stays for what the measurement itself and its neighbours need.
constexpr double kMemoryShare = 0.66;

Result<nlohmann::json> read_config(const LatencyOptions& options) {
  const std::string text = TRY(read_text_file(options.config, kMaxConfigBytes));
  nlohmann::json config = TRY(formats::parse_json(text, options.config));
  if (!config.is_object()) return data_corrupt("{}: expected a JSON object", options.config);
  if (options.layers > 0) config["num_hidden_layers"] = options.layers;
  return config;
}

/// One batch of sequences in a cache of its own.
class Batch {
 public:
  Batch(models::Model& model, cache::KvCache cache, const LatencyRun& run, int32_t pages_each)
      : model_(model), cache_(std::move(cache)), run_(run) {
    const auto batch = static_cast<size_t>(run.batch), pages = static_cast<size_t>(pages_each);
    const auto prompt = static_cast<size_t>(run.prompt);
    ids_.resize(batch * prompt);
    for (size_t i = 0; i < ids_.size(); ++i)
      ids_[i] = static_cast<int32_t>((i * 7919 + 13) % static_cast<size_t>(model.config().vocab));
    pages_.resize(batch * pages);
    for (size_t i = 0; i < pages_.size(); ++i)
      pages_[i] = static_cast<int32_t>(i);
    logits_.resize(batch * static_cast<size_t>(model.config().vocab));
    next_.assign(batch, 1);
    for (size_t i = 0; i < batch; ++i)
      page_spans_.push_back(std::span(pages_).subspan(i * pages, pages));
  }

  /// A step over whole prompts, as many as `rows` holds, or over the first `rows` tokens of one.
  Status prefill(int32_t rows) {
    const Span span("prefill step", {"prompt_rows", rows});
    chunks_.clear();
    const int32_t length = std::min(rows, run_.prompt);
    for (int32_t i = 0; i < rows / length; ++i) {
      const auto first = static_cast<size_t>(i) * static_cast<size_t>(run_.prompt);
      chunks_.push_back({.ids = std::span(ids_).subspan(first, static_cast<size_t>(length)),
                         .start = 0,
                         .pages = page_spans_[static_cast<size_t>(i)],
                         .logits = models::Chunk::Logits::kLast});
    }
    return forward();
  }

  /// One token of every sequence at `position`; the likeliest one is the next step's.
  Status decode(int32_t position) {
    const Span span("decode step", {"decode_rows", run_.batch});
    chunks_.clear();
    for (size_t i = 0; i < next_.size(); ++i) {
      chunks_.push_back({.ids = std::span(next_).subspan(i, 1),
                         .start = position,
                         .pages = page_spans_[i],
                         .logits = models::Chunk::Logits::kLast});
    }
    TRY_STATUS(forward());
    const int64_t vocab = model_.config().vocab;
    model_.workers().parallel_for(next_.size(), [&](size_t i) {
      next_[i] =
          static_cast<int32_t>(kernels::argmax(logits_.data() + static_cast<int64_t>(i) * vocab, vocab));
    });
    return {};
  }

 private:
  Status forward() {
    const int64_t vocab = model_.config().vocab;
    return model_.forward(chunks_, cache_, {logits_.data(), static_cast<int64_t>(chunks_.size()), vocab});
  }

  models::Model& model_;
  cache::KvCache cache_;
  const LatencyRun& run_;
  std::vector<int32_t> ids_, pages_, next_;
  std::vector<std::span<const int32_t>> page_spans_;
  std::vector<models::Chunk> chunks_;
  std::vector<float> logits_;
};

/// The model and the meters, measured run by run.
class Latency {
 public:
  Latency(const LatencyOptions& options, models::Model& model, const kernels::PeakLoop* loop, int threads)
      : options_(options), model_(model), pool_(threads), meter_(pool_), loop_(loop) {}

  Status measure(LatencyRun& run) {
    const int32_t positions = run.prompt + options_.decode;
    if (positions > model_.config().max_position) {
      run.skipped = fmt::format("{} positions, the model has {}", positions, model_.config().max_position);
      return {};
    }
    const int32_t pages_each = (positions + kPageSize - 1) / kPageSize;
    const size_t page_bytes = model_.page_bytes(kPageSize);
    const double cache_bytes = static_cast<double>(page_bytes) * pages_each * run.batch;
    const auto memory = static_cast<double>(engine::available_memory_bytes());
    if (cache_bytes > memory * kMemoryShare) {
      run.skipped =
          fmt::format("the cache needs {:.1f} GB, {:.1f} GB are available", cache_bytes / 1e9, memory / 1e9);
      return {};
    }
    auto cache = TRY(model_.make_cache(kPageSize, pages_each * run.batch));
    fill_cache(cache);
    Batch batch(model_, std::move(cache), run, pages_each);
    TRY_STATUS(measure_prefill(batch, run));
    return measure_decode(batch, run);
  }

 private:
  double peak() { return loop_ == nullptr ? 0 : meter_.macs_per_second(*loop_); }

  Status measure_prefill(Batch& batch, LatencyRun& run) {
    const int32_t length = std::min(run.prompt, kMaxPrefillRows);
    const int32_t prompts = std::min(run.batch, kMaxPrefillRows / length);
    run.prefill_rows = length * prompts;
    const auto& config = model_.config();
    const auto macs = static_cast<double>(macs_per_step(config, run.prefill_rows, prompts));
    double spent = 0;
    while (run.prefill_tokens_per_s.size() < kMinRuns || spent < options_.seconds) {
      const double peak_macs = peak();
      Status status;
      const double seconds = seconds_of([&] { status = batch.prefill(run.prefill_rows); });
      TRY_STATUS(std::move(status));
      spent += seconds;
      run.prefill_tokens_per_s.add(run.prefill_rows / seconds);
      if (peak_macs > 0) run.prefill_of_peak.add(macs / seconds / peak_macs);
    }
    return {};
  }

  Status measure_decode(Batch& batch, LatencyRun& run) {
    const auto& config = model_.config();
    const auto macs = static_cast<double>(macs_per_step(config, run.batch, run.batch));
    const double bytes = bytes_per_step(config, model_.report(), run.batch);
    const auto cache_bytes = static_cast<double>(model_.page_bytes(kPageSize)) / kPageSize;  // of one token
    double peak_macs = 0, peak_bytes = 0, spent = 0;
    for (int32_t step = 0; step < options_.decode; ++step) {
      if (step >= kMinSteps && spent >= options_.seconds) break;
      if (step % kStepsPerPeak == 0) {
        peak_macs = peak();
        peak_bytes = meter_.dram_bytes_per_second();
      }
      Status status;
      const double seconds = seconds_of([&] { status = batch.decode(run.prompt + step); });
      TRY_STATUS(std::move(status));
      spent += seconds;
      ++run.decode_steps;
      run.decode_tokens_per_s.add(run.batch / seconds);
      if (peak_macs > 0) run.decode_of_peak.add(macs / seconds / peak_macs);
      run.decode_of_bandwidth.add(bytes / seconds / peak_bytes);
      const double cached = cache_bytes * run.batch * (run.prompt + step);
      run.decode_of_bandwidth_with_cache.add((bytes + cached) / seconds / peak_bytes);
    }
    return {};
  }

  const LatencyOptions& options_;
  models::Model& model_;
  ThreadPool pool_;
  PeakMeter meter_;
  const kernels::PeakLoop* loop_;
};

nlohmann::ordered_json fraction(const Sample& sample) {
  if (sample.empty()) return nullptr;
  return std::round(sample.median() * 1e4) / 1e4;
}

nlohmann::ordered_json run_json(const LatencyRun& run) {
  nlohmann::ordered_json json = {{"batch", run.batch}, {"prompt", run.prompt}, {"decode", run.decode}};
  if (!run.skipped.empty()) {
    json["skipped"] = run.skipped;
    return json;
  }
  json["prefill_rows"] = run.prefill_rows;
  json["decode_steps"] = run.decode_steps;
  json["prefill_tokens_per_s"] = run.prefill_tokens_per_s.median();
  json["prefill_spread"] = run.prefill_tokens_per_s.spread();
  json["decode_tokens_per_s"] = run.decode_tokens_per_s.median();
  json["decode_spread"] = run.decode_tokens_per_s.spread();
  json["fraction_of_peak"] = fraction(run.prefill_of_peak);
  json["decode_fraction_of_peak"] = fraction(run.decode_of_peak);
  json["fraction_of_bandwidth"] = fraction(run.decode_of_bandwidth);
  json["fraction_of_bandwidth_with_cache"] = fraction(run.decode_of_bandwidth_with_cache);
  return json;
}

std::string percent(const Sample& sample) {
  return sample.empty() ? "-" : fmt::format("{:.0f} %", sample.median() * 100);
}

}  // namespace

Result<LatencyReport> measure_latency(const LatencyOptions& options,
                                      const std::function<void(const LatencyReport&)>& on_run) {
  const nlohmann::json config = TRY(read_config(options));
  const models::DummyScheme scheme = TRY(models::parse_dummy_scheme(options.scheme, options.head));
  const auto model = TRY(models::Model::dummy(config, {.scheme = options.scheme,
                                                       .head = options.head,
                                                       .dtype = options.dtype,
                                                       .weight_layout = options.layout,
                                                       .kv_cache_dtype = options.kv_cache_dtype,
                                                       .threads = options.threads}));
  const auto& loaded = model->report();
  const auto* loop = bounding_loop(scheme.linears, active_isa());
  LatencyReport report{
      .machine = measure_machine(loaded.threads, kMachineRepeats),
      .options = options,
      .model = std::filesystem::path(options.config).stem().string(),
      .peak = loop == nullptr ? "" : loop->name,
      .layers = model->config().layers,
      .load_seconds = loaded.seconds,
      .packed_bytes = loaded.packed_bytes,
      .bytes_per_token = loaded.bytes_per_token,
      .cache_bytes_per_token = static_cast<int64_t>(model->page_bytes(kPageSize)) / kPageSize,
      .macs_per_token = macs_per_token(model->config()),
      .runs = {}};
  Latency latency(options, *model, loop, loaded.threads);
  for (const int32_t prompt : options.prompts) {
    for (const int32_t batch : options.batches) {
      LatencyRun run;
      run.batch = batch;
      run.prompt = prompt;
      run.decode = options.decode;
      TRY_STATUS(latency.measure(run));
      report.runs.push_back(std::move(run));
      on_run(report);
    }
  }
  return report;
}

nlohmann::ordered_json to_json(const LatencyReport& report) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const LatencyRun& run : report.runs)
    runs.push_back(run_json(run));
  return {{"machine", to_json(report.machine)},
          {"model", report.model},
          {"scheme", report.options.scheme},
          {"layout", report.options.layout},
          {"lm_head", report.options.head},
          {"dtype", report.options.dtype},
          {"kv_cache_dtype", report.options.kv_cache_dtype},
          {"layers", report.layers},
          {"peak", report.peak},
          {"load_seconds", report.load_seconds},
          {"packed_bytes", report.packed_bytes},
          {"bytes_per_token", report.bytes_per_token},
          {"cache_bytes_per_token", report.cache_bytes_per_token},
          {"macs_per_token", report.macs_per_token},
          {"runs", std::move(runs)}};
}

std::string head_text(const LatencyReport& report) {
  return fmt::format(
      "{}{} ({} layers), {}, {}: {:.0f} MB of weights in {:.1f} s, {:.0f} MB and {:.0f} MMAC per token; "
      "peak: {}\n"
      "batch prompt | prefill tokens/s      of peak | decode tokens/s       of bandwidth with cache    of "
      "peak\n",
      to_text(report.machine), report.model, report.layers, report.options.scheme, report.options.layout,
      static_cast<double>(report.packed_bytes) / 1e6, report.load_seconds,
      static_cast<double>(report.bytes_per_token) / 1e6, static_cast<double>(report.macs_per_token) / 1e6,
      report.peak.empty() ? "none" : report.peak);
}

std::string line_text(const LatencyRun& run) {
  if (!run.skipped.empty())
    return fmt::format("{:5} {:6} | skipped: {}\n", run.batch, run.prompt, run.skipped);
  return fmt::format("{:5} {:6} | {:9.1f} +-{:4.1f} % {:>10} | {:9.1f} +-{:4.1f} % {:>10} {:>10} {:>10}\n",
                     run.batch, run.prompt, run.prefill_tokens_per_s.median(),
                     run.prefill_tokens_per_s.spread() * 100, percent(run.prefill_of_peak),
                     run.decode_tokens_per_s.median(), run.decode_tokens_per_s.spread() * 100,
                     percent(run.decode_of_bandwidth), percent(run.decode_of_bandwidth_with_cache),
                     percent(run.decode_of_peak));
}

}  // namespace tessera::bench
