#include "models/blocks/rope_table.h"

#include <cmath>
#include <numbers>

namespace tessera::models {
namespace {

/// The "llama3" rule: waves longer than original/low_freq_factor are slowed by `factor`, shorter ones than
/// original/high_freq_factor are kept, and those between are blended. As transformers'
/// _compute_llama3_parameters.
double stretch(double frequency, const Llama3Rope& rope) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < rope.original_max_position / rope.high_freq_factor) return frequency;
  if (wavelength > rope.original_max_position / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (rope.original_max_position / wavelength - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace

void RopeTable::cover(int32_t positions) {
  if (positions <= positions_) return;
  constexpr int64_t kStep = 4096;
  const auto end = static_cast<int32_t>((positions + kStep - 1) / kStep * kStep);
  const int32_t pairs = head_dim_ / 2;
  const size_t size = static_cast<size_t>(end) * static_cast<size_t>(pairs);
  cos_.resize(size);
  sin_.resize(size);
  for (int32_t pair = 0; pair < pairs; ++pair) {
    double frequency = std::pow(rope_.theta, -2.0 * pair / head_dim_) / rope_.linear_factor;
    if (rope_.llama3) frequency = stretch(frequency, *rope_.llama3);
    // The reference keeps frequencies in float32; at position 100,000 the difference would be 0.01 radians.
    const auto kept = static_cast<double>(static_cast<float>(frequency));
    for (int32_t position = positions_; position < end; ++position) {
      const size_t at =
          static_cast<size_t>(position) * static_cast<size_t>(pairs) + static_cast<size_t>(pair);
      const auto angle = static_cast<double>(static_cast<float>(position * kept));
      cos_[at] = static_cast<float>(std::cos(angle));
      sin_[at] = static_cast<float>(std::sin(angle));
    }
  }
  positions_ = end;
}

}  // namespace tessera::models
