// KL(reference || other) of the softmax of rows of logits, one reference against many others: its softmax is
// taken once. Pure; rows are independent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera::compress {

class RowDivergence {
 public:
  /// The reference's row. false: it holds a NaN or an infinity.
  [[nodiscard]] bool set_reference(std::span<const float> logits);

  /// KL from the row that was set, in nats, >= 0; NaN when `logits`, as long as that, holds one or an
  /// infinity.
  double from(std::span<const float> logits);

 private:
  /// Fills weights_ and gives the logarithm of the sum of exp(logits), or NaN.
  double soften(std::span<const float> logits);

  std::span<const float> reference_;
  std::vector<float> probabilities_, weights_;
  std::vector<double> block_sums_;
  std::vector<float> block_maxes_;
  double log_norm_ = 0;
};

}  // namespace tessera::compress
