#include "compress/journal.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "compress/options_text.h"
#include "compress/output_directory.h"
#include "formats/json_limits.h"

namespace tessera::compress {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kStateFile = "quantize.state.json", kSensitivityFile = "sensitivity.json";
constexpr uint64_t kMaxStateBytes = 64 << 20;
constexpr double kWorkPerCost = 20;
constexpr auto kBetweenSteps = std::chrono::seconds(10);

json to_json(const CalibrationSummary& summary) {
  return {{"unseen", summary.unseen},
          {"unfactored", summary.unfactored},
          {"least_rows", summary.least_rows},
          {"expert_rows", summary.expert_rows}};
}

CalibrationSummary summary_of(const json& text) {
  CalibrationSummary summary;
  text.at("unseen").get_to(summary.unseen);
  text.at("unfactored").get_to(summary.unfactored);
  text.at("least_rows").get_to(summary.least_rows);
  text.at("expert_rows").get_to(summary.expert_rows);
  return summary;
}

/// What an interrupted run left.
struct State {
  json fingerprint, summary;
  int32_t layers = 0;
  size_t steps = 0;
};

/// nullopt when there is nothing, or nothing that can be read.
std::optional<State> read_state(const fs::path& directory) try {
  const auto text = read_text_file(directory / kStateFile, kMaxStateBytes);
  if (!text) return std::nullopt;
  const auto object = formats::parse_json(*text, kStateFile);
  if (!object) return std::nullopt;
  return State{.fingerprint = object->at("fingerprint"),
               .summary = object->at("summary"),
               .layers = object->at("layers").get<int32_t>(),
               .steps = object->at("steps").get<size_t>()};
} catch (const json::exception&) {
  return std::nullopt;
}

Status remove_unfinished(const fs::path& directory) try {
  if (!fs::exists(directory)) return {};
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("quantize.") || name.ends_with(".partial")) fs::remove(entry.path());
  }
  return {};
} catch (const fs::filesystem_error& error) {
  return unavailable("{}: {}", directory.string(), error.code().message());
}

}  // namespace

Result<Journal> Journal::open(const QuantizeOptions& options) {
  Journal journal;
  journal.directory_ = options.output;
  journal.fingerprint_ = TRY(fingerprint(options));
  journal.saved_ = std::chrono::steady_clock::now();
  const auto state = read_state(options.output);
  const bool begun = state && (state->layers > 0 || state->steps > 0);
  if (state && state->fingerprint == journal.fingerprint_) {
    journal.layers_ = state->layers;
    journal.steps_ = state->steps;
    journal.summary_ = state->summary;
    journal.is_open_ = true;
    if (begun) {
      LOG_WARN("{}: going on after {} layers and {} tensors of an interrupted run", options.output,
               state->layers, state->steps);
    }
    return journal;
  }
  if (begun && !options.force) {
    return invalid_argument(
        "--output={} holds the unfinished work of another command, or of files that changed since; expected "
        "that command, or --force to start anew",
        options.output);
  }
  if (state || options.force) {
    TRY_STATUS(remove_unfinished(options.output));
    std::error_code ignored;  // the directory is looked at below
    fs::remove(journal.sensitivity_file(), ignored);
  }
  TRY_STATUS(prepare_output_directory(options.model_path, options.output, options.force));
  TRY_STATUS(journal.save());
  journal.is_open_ = true;
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : directory_(std::move(other.directory_)),
      fingerprint_(std::move(other.fingerprint_)),
      summary_(std::move(other.summary_)),
      layers_(other.layers_),
      steps_(other.steps_),
      sync_(std::move(other.sync_)),
      saved_(other.saved_),
      cost_(other.cost_),
      is_open_(std::exchange(other.is_open_, false)) {}

Journal::~Journal() {
  std::error_code ignored;  // nothing depends on it
  if (is_open_ && layers_ == 0 && steps_ == 0 && !fs::exists(sensitivity_file(), ignored))
    fs::remove(directory_ / kStateFile, ignored);
}

Result<CalibrationSummary> Journal::restore(MatrixView<float> hidden) const try {
  const InputFile file = TRY(InputFile::open(hidden_file(layers_)));
  const auto values = static_cast<size_t>(hidden.rows * hidden.cols);
  if (file.size() != values * sizeof(float)) {
    return data_corrupt("{}: {} bytes, expected {}: --force starts anew", file.path().string(), file.size(),
                        values * sizeof(float));
  }
  TRY_STATUS(file.read_at(0, std::as_writable_bytes(std::span(hidden.data, values))));
  return summary_of(summary_);
} catch (const json::exception& error) {
  return data_corrupt("{}/{}: {}: --force starts anew", directory_.string(), kStateFile, error.what());
}

Status Journal::save_layers(int32_t layers, MatrixView<const float> hidden,
                            const CalibrationSummary& summary) {
  if (!is_worth_it()) return {};
  const auto begin = std::chrono::steady_clock::now();
  TRY_STATUS(sync_());
  OutputFile file = TRY(OutputFile::create(hidden_file(layers)));
  TRY_STATUS(
      file.append(std::as_bytes(std::span(hidden.data, static_cast<size_t>(hidden.rows * hidden.cols)))));
  TRY_STATUS(file.commit());
  const int32_t before = std::exchange(layers_, layers);
  summary_ = to_json(summary);
  TRY_STATUS(save());
  std::error_code ignored;  // it is only not needed any more
  fs::remove(hidden_file(before), ignored);
  saved_ = std::chrono::steady_clock::now();
  cost_ = saved_ - begin;
  return {};
}

Status Journal::save_steps(size_t steps) {
  if (std::chrono::steady_clock::now() - saved_ < kBetweenSteps || !is_worth_it()) return {};
  const auto begin = std::chrono::steady_clock::now();
  TRY_STATUS(sync_());
  steps_ = steps;
  TRY_STATUS(save());
  saved_ = std::chrono::steady_clock::now();
  cost_ = saved_ - begin;
  return {};
}

bool Journal::is_worth_it() const {
  return std::chrono::steady_clock::now() - saved_ >= cost_ * kWorkPerCost;
}

Status Journal::save() {
  const json state = {
      {"fingerprint", fingerprint_}, {"layers", layers_}, {"steps", steps_}, {"summary", summary_}};
  return write_text_file(directory_ / kStateFile, TRY(formats::dump_json(state, kStateFile)) + "\n");
}

Status Journal::forget() {
  layers_ = 0;
  steps_ = 0;
  return save();
}

Status Journal::finish() {
  is_open_ = false;
  return remove_unfinished(directory_);
}

fs::path Journal::sensitivity_file() const {
  return directory_ / kSensitivityFile;
}

fs::path Journal::hidden_file(int32_t layers) const {
  return directory_ / fmt::format("quantize.hidden.{}", layers);
}

}  // namespace tessera::compress
