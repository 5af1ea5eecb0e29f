// MixtureRunner: how far the predictions of mixtures of schemes are from the float model's, for many mixtures
// in one walk through the layers. A layer is read once; every mixture has its own hidden states, which begin
// as copies of the float model's at the first layer where it differs. Weights are rounded to nearest and run
// by the integer kernels, inputs quantized as they will be. Memory: one layer, [tokens, hidden] floats for
// each mixture, and 64 rows of logits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/calibrate/calibrated_rounding.h"
#include "quant/rtn.h"

namespace tessera::compress {

enum class Level : uint8_t { kFloat, kLow, kHigh };

/// Of each unit.
using Assignment = std::vector<Level>;

struct MixtureUnit {
  std::string name;                  // units.h
  std::vector<std::string> linears;  // paths without ".weight"
};

struct MixtureModel {
  const formats::TensorSource& source;  // float weights of `config`
  const formats::WeightReader& reader;
  const models::ModelConfig& config;
  std::vector<MixtureUnit> units = {};
  quant::LinearScheme low = {}, high = {};
  quant::Rounding rounding = {};
};

class MixtureRunner {
 public:
  /// Both outlive this.
  MixtureRunner(const MixtureModel& model, ThreadPool& pool);

  /// The mean over all tokens of KL(float || mixture) of the next token's distribution, in nats, for each
  /// mixture. Shows progress under `title`. kInvalidArgument where a mixture predicts NaN.
  Result<std::vector<double>> divergences(std::span<const Assignment> mixtures, const CalibrationData& data,
                                          const std::string& title);

 private:
  struct Run {
    const Assignment* assignment = nullptr;
    AlignedBuffer hidden;  // [tokens, hidden]; empty until the mixture differs from the float model
    double kl = 0;         // summed over tokens
  };
  uint64_t work_of(std::span<const Assignment> mixtures) const;
  Status run_layer(int32_t index, MatrixView<float> reference, std::span<Run> runs, int32_t length);
  Result<ops::Linear> round(const std::string& name, const ops::Linear& linear, Level level);
  Status compare(const models::OutputHead& head, MatrixView<const float> reference, std::span<Run> runs);
  MatrixView<float> hidden_of(Run& run, int64_t tokens) const {
    return {run.hidden.as<float>(), tokens, model_.config.hidden};
  }

  const MixtureModel& model_;
  ThreadPool& pool_;
  models::LayerRunner runner_;
  std::vector<std::vector<size_t>> units_of_layer_;
  Progress* progress_ = nullptr;
};

}  // namespace tessera::compress
