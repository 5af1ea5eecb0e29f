// LayerInputs: watches what the linears of one decoder layer are fed, and keeps its Hessian, with the values
// as the quantized linear will see them: rounded to its activations' codes. Linears with one input in common
// (q/k/v, gate/up) share one. Stage after stage, since what a stage is fed depends on how those before it
// were rounded. One layer at a time; observers are called on the workers.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compress/gptq/gptq.h"
#include "ops/linear.h"
#include "quant/scheme.h"

namespace tessera::compress {

/// What all linears over one input have in common, of a linear's dotted path: q/k/v and gate/up of one
/// parent.
std::string input_key(const std::string& name);

/// A row as the integer kernels see it: x <- codes * scale. Static scales are not what calibration makes.
void round_activations(const quant::ActivationScheme& scheme, std::span<float> row);

/// Linears of a decoder layer whose inputs are known once those of the stages before are rounded.
enum class Stage : uint8_t { kAttentionInputs, kAttentionOutput, kMlpInputs, kMlpOutput };

class LayerInputs {
 public:
  /// `algebra` outlives this.
  explicit LayerInputs(const DenseAlgebra& algebra) : algebra_(algebra) {}

  /// Watches `linear`; the name is a dotted path. The first of those with one input is watched for all of
  /// them.
  void watch(const std::string& name, ops::Linear& linear, const quant::ActivationScheme& activation);

  /// From now on only the inputs of this stage are looked at.
  void watch_stage(Stage stage) { stage_ = stage; }

  /// The linears that share an input, by name, and its Hessian.
  struct Input {
    std::vector<std::string> linears;
    Stage stage;
    Hessian hessian;
    quant::ActivationScheme activation;
    std::vector<float> rows;  // not in the Hessian yet
  };
  /// Those of the stage, after its forward pass.
  std::vector<std::unique_ptr<Input>> finish();

 private:
  void add(Input& input, MatrixView<const float> rows);
  void flush(Input& input);

  const DenseAlgebra& algebra_;
  Stage stage_ = Stage::kAttentionInputs;
  std::vector<std::unique_ptr<Input>> inputs_;
  std::vector<std::string> keys_;  // of inputs_
  std::mutex mutex_;               // of algebra_
};

}  // namespace tessera::compress
