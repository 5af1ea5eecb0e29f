// RotatedSource: a float checkpoint as it would be after a rotation that leaves the model's function as it
// was (QuaRot, arXiv 2404.00456; SpinQuant, arXiv 2405.16406). Norms are folded into the linears behind them
// (and become 1), a tied head is untied, and then, with Q of the residual stream, R of a head's values and P
// of the MLP's intermediate values:
//
//   embedding E Q    q, k, gate, up, router, head: W Q    v: R^T W Q    o: Q^T W R    down: Q^T W P
//
// P is not undone by any weight: whoever runs the model multiplies down_proj's input by it
// (`transform_config`). Tensors are computed when they are read, in float64, and given as F32. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compress/rotate/rotation.h"
#include "formats/tensor_source.h"
#include "models/model_config.h"

namespace tessera::compress {

struct RotateOptions {
  uint64_t seed = 0;
  bool online = false;  // P too
  int64_t down_block =
      0;  // values that P mixes; 0: as many as the largest power of two that divides the width
};

class RotatedSource final : public formats::TensorSource {
 public:
  /// `source` outlives this; `config` is its model's. kUnsupported when a width has no Hadamard matrix, or a
  /// tensor is not of a kind that this knows how to rotate (all named).
  static Result<std::unique_ptr<RotatedSource>> make(const formats::TensorSource& source,
                                                     const models::ModelConfig& config,
                                                     const RotateOptions& options);

  /// Values that P mixes; 0: there is no P.
  int64_t down_block() const { return down_ ? down_->size() : 0; }

  std::span<const formats::TensorInfo> tensors() const override { return infos_; }
  const formats::TensorInfo* find(std::string_view name) const override;
  using TensorSource::read;
  Status read(const formats::TensorInfo& info, std::span<std::byte> out) const override;
  Status check_unchanged() const override { return source_.check_unchanged(); }

 private:
  /// What becomes of one tensor.
  struct Treatment {
    const formats::TensorInfo* from = nullptr;
    const formats::TensorInfo* norm = nullptr;  // folded: columns times its weights
    const Rotation* columns = nullptr;          // W <- W M
    const Rotation* rows = nullptr;             // W <- M^T W
    bool ones = false;
  };

  explicit RotatedSource(const formats::TensorSource& source) : source_(source) {}
  Result<Treatment> treatment_of(const std::string& name) const;
  /// `from` under `name`.
  Status add(const formats::TensorInfo& from, std::string name);

  const formats::TensorSource& source_;
  std::optional<Rotation> residual_, head_, down_;
  std::vector<formats::TensorInfo> infos_;
  std::vector<Treatment> treatments_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace tessera::compress
