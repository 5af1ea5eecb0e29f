// The numbers by which folds (fold.h) are carried out, found by running the float model over calibration
// text: by a rule that looks at one fold at a time.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compress/calibrate/input_samples.h"
#include "compress/smooth/fold.h"

namespace tessera::compress {

/// What a rule is shown of a fold.
struct FoldView {
  const Fold& fold;
  const LayerSamples& samples;
  std::vector<const LinearToRound*> linears;  // those of fold.into that are quantized

  /// What all of fold.into are fed, experts together.
  const InputSamples& input() const;
};

/// [fold.channels], finite and > 0.
using ChannelRule = std::function<Result<std::vector<float>>(const FoldView& view)>;

/// SmoothQuant (arXiv 2211.10438): s = max|x|^alpha / max|W|^(1 - alpha), W of the quantized linears.
/// `source` outlives the rule.
ChannelRule smooth_rule(const formats::TensorSource& source, double alpha);

struct ChannelSearch {
  const formats::TensorSource& source;  // a float model
  const formats::WeightReader& reader;  // of it
  const models::ModelConfig& config;
  bool norms = true;  // folds behind norms too
  int64_t rows = 0;   // whole rows that the rule wants of each input
};

/// For every fold in front of one of `linears`, which are those that are quantized.
Result<std::vector<ScaledFold>> find_channel_scales(const ChannelSearch& search,
                                                    const std::vector<LinearToRound>& linears,
                                                    const CalibrationData& data, ThreadPool& pool,
                                                    const ChannelRule& rule);

/// `values` of columns -> the largest of each channel.
std::vector<float> largest_of_channels(const Fold& fold, std::span<const float> columns);

}  // namespace tessera::compress
