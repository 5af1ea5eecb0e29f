// CalibratedRounding: rounds the linears of a model by what they are fed, one decoder layer after the other.
// A layer is rounded by GPTQ in stages (q/k/v, o, gate/up, down), each after half of the layer was run over
// the calibration text as it is rounded so far: Hessians are of what linears will be fed. Memory holds one
// layer, its Hessians and the hidden states twice.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compress/calibrate/layer_inputs.h"
#include "compress/rtn.h"
#include "formats/weight_format.h"
#include "models/layer_runner.h"

namespace tessera {
class Progress;
}

namespace tessera::compress {

class Journal;

/// A linear to round: its scheme, whose transforms are the caller's to have put into the weights.
struct LinearToRound {
  std::string name;  // without ".weight"
  quant::LinearScheme scheme;
};

struct CalibrationData {
  std::vector<int32_t> ids;
  int32_t length = 512;  // tokens of a sequence
};

struct CalibratedOptions {
  quant::Rounding rounding{.clip = quant::Clip::kLeastSquares};
  double damping = 0.01;  // of the Hessian's mean diagonal
};

/// Takes the result for a linear, in order of layers.
using RoundedSink = std::function<Status(const std::string& name, const RoundedLinear& rounded)>;

struct CalibrationSummary {
  std::vector<std::string> unseen, unfactored;  // rounded to nearest: no input, or its Hessian has no factor
  int64_t least_rows = 0;                       // that any linear saw
  std::vector<int64_t> expert_rows;             // that each expert of each layer saw
};

class CalibratedRounding {
 public:
  /// All outlive this. `source`: float weights of `config`.
  CalibratedRounding(const formats::TensorSource& source, const formats::WeightReader& reader,
                     const models::ModelConfig& config, const CalibratedOptions& options,
                     const DenseAlgebra& algebra, ThreadPool& pool)
      : source_(source),
        reader_(reader),
        config_(config),
        options_(options),
        algebra_(algebra),
        pool_(pool),
        runner_(config, pool) {}

  /// Rounds `linears`, all of them in decoder layers, from the first layer that `journal` does not have, and
  /// tells it of each. Shows progress.
  Result<CalibrationSummary> run(const std::vector<LinearToRound>& linears, const CalibrationData& data,
                                 Journal& journal, const RoundedSink& sink);

 private:
  struct Layer;
  using Half = std::function<Status(MatrixView<float> hidden)>;

  Status round_layer(int32_t index, std::span<const LinearToRound> linears, MatrixView<float> hidden,
                     int32_t length, const RoundedSink& sink, Progress& progress);
  Status round_half(Layer& layer, const Half& run, std::array<Stage, 2> stages, MatrixView<float> hidden,
                    const RoundedSink& sink, const std::function<void()>& advance);
  Status round_stage(Layer& layer, const RoundedSink& sink);
  void count(const std::string& name, int64_t rows);
  Result<ops::Linear> round_linear(const LinearToRound& linear, const ColumnOrder& order,
                                   const RoundedSink& sink);

  const formats::TensorSource& source_;
  const formats::WeightReader& reader_;
  const models::ModelConfig& config_;
  const CalibratedOptions& options_;
  const DenseAlgebra& algebra_;
  ThreadPool& pool_;
  models::LayerRunner runner_;
  CalibrationSummary summary_;
};

}  // namespace tessera::compress
