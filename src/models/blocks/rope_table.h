// RopeTable: cosines and sines of the rotary embedding for every position, computed in float64.
#pragma once

#include <cstdint>
#include <vector>

#include "models/model_config.h"

namespace tessera::models {

class RopeTable {
 public:
  /// Rows for positions [0, positions).
  RopeTable(const RopeConfig& rope, int32_t head_dim, int32_t positions);

  /// [positions, head_dim / 2]
  const float* cos() const { return cos_.data(); }
  const float* sin() const { return sin_.data(); }
  int32_t positions() const { return positions_; }

 private:
  int32_t positions_;
  std::vector<float> cos_, sin_;
};

}  // namespace tessera::models
