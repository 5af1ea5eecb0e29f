// InputSamples: what one linear is fed, in short: the largest and the mean magnitude of every channel, and a
// few whole rows. FloatWalk: all of them, layer by layer, of a float model that runs over calibration text.
// One caller at a time.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compress/calibrate/calibrated_rounding.h"

namespace tessera::compress {

class InputSamples {
 public:
  /// Keeps at most `most` rows, evenly spread; 0: none.
  InputSamples(int64_t width, int64_t most);

  void add(MatrixView<const float> rows);

  int64_t rows() const { return rows_; }                          // seen
  const std::vector<float>& largest() const { return largest_; }  // [width]
  std::vector<float> mean() const;                                // [width], of magnitudes
  std::span<const float> kept() const { return kept_; }           // [any, width]

 private:
  int64_t width_, most_, rows_ = 0, stride_ = 1;
  std::vector<float> largest_, kept_;
  std::vector<double> sums_;
};

/// By what linears over one input have in common: input_key() of any of them.
using LayerSamples = std::unordered_map<std::string, InputSamples>;

/// Called once per layer, in order.
using SamplesVisitor = std::function<Status(int32_t layer, const LayerSamples& samples)>;

/// `source` and `reader`: a float model. `rows` to keep of each input. Memory holds one layer.
Status visit_float_layers(const formats::TensorSource& source, const formats::WeightReader& reader,
                          const models::ModelConfig& config, const CalibrationData& data, int64_t rows,
                          ThreadPool& pool, const SamplesVisitor& visit);

}  // namespace tessera::compress
