#include "compress/auto/mixture_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <unordered_map>
#include <utility>

#include "compress/auto/row_divergence.h"
#include "compress/auto/units.h"

namespace tessera::compress {
namespace {

constexpr int64_t kHeadRows = 64;  // logits at a time: 40 MB for a vocabulary of 150,000

uint64_t multiplications_of_layer(const models::ModelConfig& config) {
  const int64_t heads = 2 * (int64_t{config.heads} + config.kv_heads) * config.head_dim;
  const int64_t mlp =
      config.moe ? int64_t{config.moe->experts_per_token} * config.moe->intermediate : config.intermediate;
  return static_cast<uint64_t>(config.hidden * (heads + 3 * mlp));
}

uint64_t multiplications_of_head(const models::ModelConfig& config) {
  return static_cast<uint64_t>(int64_t{config.hidden} * config.vocab);
}

}  // namespace

MixtureRunner::MixtureRunner(const MixtureModel& model, ThreadPool& pool)
    : model_(model),
      pool_(pool),
      runner_(model.config, pool),
      units_of_layer_(static_cast<size_t>(model.config.layers)) {
  for (size_t unit = 0; unit < model.units.size(); ++unit) {
    const auto layer = static_cast<size_t>(layer_of(model.units[unit].name));
    CHECK(layer < units_of_layer_.size(), "{}: {} layers", model.units[unit].name, units_of_layer_.size());
    units_of_layer_[layer].push_back(unit);
  }
}

Result<std::vector<double>> MixtureRunner::divergences(std::span<const Assignment> mixtures,
                                                       const CalibrationData& data,
                                                       const std::string& title) {
  const auto tokens = static_cast<int64_t>(data.ids.size());
  auto memory = TRY(
      AlignedBuffer::allocate(data.ids.size() * static_cast<size_t>(model_.config.hidden) * sizeof(float)));
  const MatrixView<float> reference(memory.as<float>(), tokens, model_.config.hidden);
  std::vector<Run> runs;
  for (const Assignment& mixture : mixtures)
    runs.push_back({.assignment = &mixture, .hidden = {}});
  Progress progress(title, work_of(mixtures));
  progress_ = &progress;
  TRY_STATUS(runner_.embed(model_.source, data.ids, reference));
  for (int32_t index = 0; index < model_.config.layers; ++index)
    TRY_STATUS(run_layer(index, reference, runs, data.length).context(fmt::format("layer {}", index)));
  const models::OutputHead head = TRY(runner_.load_head(model_.source, model_.reader));
  TRY_STATUS(compare(head, reference, runs));
  progress_ = nullptr;
  std::vector<double> means;
  for (const Run& run : runs) {
    means.push_back(run.kl / static_cast<double>(tokens));
    if (!std::isfinite(means.back()))
      return invalid_argument("{}: the rounded model predicts NaN, expected finite logits", title);
  }
  return means;
}

/// In multiplications per token: a mixture that differs in the last layer only runs only there.
uint64_t MixtureRunner::work_of(std::span<const Assignment> mixtures) const {
  uint64_t work = 0;
  for (const Assignment& mixture : mixtures) {
    int32_t first = model_.config.layers;
    for (size_t unit = 0; unit < mixture.size(); ++unit) {
      if (mixture[unit] != Level::kFloat) first = std::min(first, layer_of(model_.units[unit].name));
    }
    if (first == model_.config.layers) continue;
    work += static_cast<uint64_t>(model_.config.layers - first) * multiplications_of_layer(model_.config) +
            multiplications_of_head(model_.config);
  }
  return work;
}

Status MixtureRunner::run_layer(int32_t index, MatrixView<float> reference, std::span<Run> runs,
                                int32_t length) {
  models::LayerWeights layer;
  std::unordered_map<std::string, ops::Linear*> by_name;
  for (const auto& target : TRY(runner_.load(model_.source, model_.reader, index, layer)))
    by_name.emplace(target.name, target.into);
  const auto& units = units_of_layer_[static_cast<size_t>(index)];
  std::map<Assignment, std::vector<Run*>> by_levels;  // of this layer's units: each is made once
  for (Run& run : runs) {
    Assignment levels;
    for (const size_t unit : units)
      levels.push_back((*run.assignment)[unit]);
    by_levels[levels].push_back(&run);
  }
  for (const auto& [levels, same] : by_levels) {
    std::vector<std::pair<ops::Linear*, ops::Linear>> floats;
    for (size_t i = 0; i < units.size(); ++i) {
      if (levels[i] == Level::kFloat) continue;
      for (const std::string& name : model_.units[units[i]].linears) {
        ops::Linear* const linear = by_name.at(name);
        ops::Linear rounded = TRY(round(name, *linear, levels[i]));
        floats.emplace_back(linear, std::exchange(*linear, std::move(rounded)));
      }
    }
    for (Run* run : same) {
      if (run->hidden.empty() && !floats.empty()) {
        const auto values = static_cast<size_t>(reference.rows * reference.cols);
        run->hidden = TRY(AlignedBuffer::allocate(values * sizeof(float)));
        std::memcpy(run->hidden.data(), reference.data, values * sizeof(float));
      }
      if (run->hidden.empty()) continue;
      TRY_STATUS(runner_.forward(index, layer, hidden_of(*run, reference.rows), length));
      progress_->advance(multiplications_of_layer(model_.config), fmt::format("layer {}", index));
    }
    for (auto& [linear, original] : floats)
      *linear = std::move(original);
  }
  return runner_.forward(index, layer, reference, length);
}

Result<ops::Linear> MixtureRunner::round(const std::string& name, const ops::Linear& linear, Level level) {
  quant::LinearData data = TRY(model_.reader.read(name, linear.out(), linear.in()));
  const bool transformed = data.scheme.transformed;
  const quant::LinearScheme& scheme = level == Level::kLow ? model_.low : model_.high;
  data = TRY(quant::quantize_rtn(std::move(data), name, scheme, model_.rounding, pool_));
  data.scheme.transformed = transformed;
  return ops::Linear::pack(std::move(data), {.kind = ops::FloatKind::kF32}, pool_);
}

Status MixtureRunner::compare(const models::OutputHead& head, MatrixView<const float> reference,
                              std::span<Run> runs) {
  const int64_t vocab = model_.config.vocab;
  const auto bytes = static_cast<size_t>(kHeadRows * vocab) * sizeof(float);
  auto expected_memory = TRY(AlignedBuffer::allocate(bytes));
  auto found_memory = TRY(AlignedBuffer::allocate(bytes));
  std::vector<RowDivergence> rows(static_cast<size_t>(kHeadRows));
  std::vector<double> found(rows.size());
  const size_t blocks = static_cast<size_t>((reference.rows + kHeadRows - 1) / kHeadRows);
  for (size_t block = 0; block < blocks; ++block) {
    const int64_t first = static_cast<int64_t>(block) * kHeadRows;
    const int64_t count = std::min(kHeadRows, reference.rows - first);
    const auto row_of = [&](AlignedBuffer& memory, size_t row) {
      return std::span<const float>(memory.as<float>() + row * static_cast<size_t>(vocab),
                                    static_cast<size_t>(vocab));
    };
    runner_.run_head(head, reference.row_range(first, count), {expected_memory.as<float>(), count, vocab});
    pool_.parallel_for(static_cast<size_t>(count), [&](size_t row) {
      found[row] = rows[row].set_reference(row_of(expected_memory, row)) ? 0 : NAN;
    });
    if (std::any_of(found.begin(), found.begin() + count, [](double value) { return std::isnan(value); }))
      return invalid_argument("the float model predicts NaN, expected finite logits");
    for (Run& run : runs) {
      if (run.hidden.empty()) continue;
      const auto hidden = hidden_of(run, reference.rows).row_range(first, count);
      runner_.run_head(head, hidden, {found_memory.as<float>(), count, vocab});
      pool_.parallel_for(static_cast<size_t>(count),
                         [&](size_t row) { found[row] = rows[row].from(row_of(found_memory, row)); });
      for (int64_t row = 0; row < count; ++row)
        run.kl += found[static_cast<size_t>(row)];
      progress_->advance(multiplications_of_head(model_.config) / blocks, "output head");
    }
  }
  return {};
}

}  // namespace tessera::compress
