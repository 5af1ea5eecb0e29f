#include "compress/smooth/channel_scales.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "compress/calibrate/layer_inputs.h"
#include "formats/float_weights.h"

namespace tessera::compress {

const InputSamples& FoldView::input() const {
  return samples.at(input_key(fold.into.front()));
}

std::vector<float> largest_of_channels(const Fold& fold, std::span<const float> columns) {
  std::vector<float> channels(static_cast<size_t>(fold.channels));
  for (size_t i = 0; i < columns.size(); ++i) {
    float& channel = channels[fold.channel_of(i)];
    channel = std::max(channel, columns[i]);
  }
  return channels;
}

namespace {

/// Magnitudes of the largest weight of each column.
Status add_columns(const formats::TensorSource& source, const std::string& linear,
                   std::vector<float>& columns) {
  const formats::TensorInfo* info = source.find(linear + ".weight");
  CHECK(info != nullptr, "{}", linear);
  const std::vector<float> weight = TRY(formats::read_floats(source, *info));
  columns.resize(static_cast<size_t>(info->shape[1]));
  for (size_t i = 0; i < weight.size(); ++i) {
    float& column = columns[i % columns.size()];
    column = std::max(column, std::fabs(weight[i]));
  }
  return {};
}

}  // namespace

ChannelRule smooth_rule(const formats::TensorSource& source, double alpha) {
  return [&source, alpha](const FoldView& view) -> Result<std::vector<float>> {
    std::vector<float> columns;
    for (const LinearToRound* linear : view.linears)
      TRY_STATUS(add_columns(source, linear->name, columns));
    const auto weights = largest_of_channels(view.fold, columns),
               inputs = largest_of_channels(view.fold, view.input().largest());
    std::vector<float> scales(weights.size(), 1);
    for (size_t i = 0; i < scales.size(); ++i) {
      // A channel that is always 0, or that no weight reads, is as good as any.
      if (inputs[i] < 1e-5F || weights[i] < 1e-5F) continue;
      scales[i] = static_cast<float>(std::pow(inputs[i], alpha) / std::pow(weights[i], 1 - alpha));
    }
    return scales;
  };
}

Result<std::vector<ScaledFold>> find_channel_scales(const ChannelSearch& search,
                                                    const std::vector<LinearToRound>& linears,
                                                    const CalibrationData& data, ThreadPool& pool,
                                                    const ChannelRule& rule) {
  std::unordered_map<std::string_view, const LinearToRound*> by_name;
  for (const LinearToRound& linear : linears)
    by_name.emplace(linear.name, &linear);
  std::vector<ScaledFold> result;
  const auto visit = [&](int32_t layer, const LayerSamples& samples) -> Status {
    for (Fold& fold : folds_of_layer(search.config, layer, search.norms)) {
      FoldView view{.fold = fold, .samples = samples, .linears = {}};
      for (const std::string& name : fold.into) {
        if (const auto found = by_name.find(name); found != by_name.end())
          view.linears.push_back(found->second);
      }
      if (view.linears.empty() || view.input().rows() == 0) continue;
      auto scales = TRY(rule(view));
      result.push_back({std::move(fold), std::move(scales)});
    }
    return {};
  };
  TRY_STATUS(visit_float_layers(search.source, search.reader, search.config, data, search.rows, pool, visit));
  return result;
}

}  // namespace tessera::compress
