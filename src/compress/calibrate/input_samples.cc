#include "compress/calibrate/input_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "compress/calibrate/layer_inputs.h"

namespace tessera::compress {

InputSamples::InputSamples(int64_t width, int64_t most)
    : width_(width), most_(most), largest_(static_cast<size_t>(width)), sums_(static_cast<size_t>(width)) {}

void InputSamples::add(MatrixView<const float> rows) {
  const auto width = static_cast<size_t>(width_);
  for (int64_t row = 0; row < rows.rows; ++row, ++rows_) {
    const float* const x = rows.row(row);
    for (size_t i = 0; i < width; ++i) {
      largest_[i] = std::max(largest_[i], std::fabs(x[i]));
      sums_[i] += std::fabs(static_cast<double>(x[i]));
    }
    if (most_ == 0 || rows_ % stride_ != 0) continue;
    kept_.insert(kept_.end(), x, x + width_);
    if (kept_.size() < width * static_cast<size_t>(most_)) continue;
    // Full: every second row stays, and every second of those that would have come.
    size_t kept = 0;
    for (size_t i = 0; i < kept_.size(); i += 2 * width, kept += width)
      std::copy_n(kept_.begin() + static_cast<ptrdiff_t>(i), width_,
                  kept_.begin() + static_cast<ptrdiff_t>(kept));
    kept_.resize(kept);
    stride_ *= 2;
  }
}

std::vector<float> InputSamples::mean() const {
  std::vector<float> result(sums_.size());
  std::ranges::transform(sums_, result.begin(), [this](double sum) {
    return static_cast<float>(sum / static_cast<double>(std::max<int64_t>(rows_, 1)));
  });
  return result;
}

Status visit_float_layers(const formats::TensorSource& source, const formats::WeightReader& reader,
                          const models::ModelConfig& config, const CalibrationData& data, int64_t rows,
                          ThreadPool& pool, const SamplesVisitor& visit) {
  models::LayerRunner runner(config, pool);
  const auto tokens = static_cast<int64_t>(data.ids.size());
  auto memory =
      TRY(AlignedBuffer::allocate(data.ids.size() * static_cast<size_t>(config.hidden) * sizeof(float)));
  const MatrixView<float> hidden(memory.as<float>(), tokens, config.hidden);
  TRY_STATUS(runner.embed(source, data.ids, hidden));
  Progress progress("watching the float model", static_cast<uint64_t>(config.layers));
  for (int32_t index = 0; index < config.layers; ++index) {
    models::LayerWeights layer;
    LayerSamples samples;
    const auto targets = TRY(runner.load(source, reader, index, layer));
    for (const auto& target : targets) {
      const auto [found, is_new] = samples.try_emplace(input_key(target.name), target.into->in(), rows);
      if (!is_new) continue;
      target.into->observe([&into = found->second](MatrixView<const float> seen) { into.add(seen); });
    }
    TRY_STATUS(runner.forward(index, layer, hidden, data.length));
    TRY_STATUS(visit(index, samples).context(fmt::format("layer {}", index)));
    progress.advance(1, fmt::format("model.layers.{}", index));
  }
  return {};
}

}  // namespace tessera::compress
