// RopeTable: cosines and sines of the rotary embedding, computed in float64, for the positions that were
// reached so far: a config's max_position_embeddings is only a promise, and 10 million of them would take
// 5 GB. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "models/model_config.h"

namespace tessera::models {

class RopeTable {
 public:
  /// Rows for positions [0, positions) at least.
  RopeTable(const RopeConfig& rope, int32_t head_dim, int32_t positions) : rope_(rope), head_dim_(head_dim) {
    cover(positions);
  }

  /// Makes rows for positions [0, positions) at least. Pointers taken before are void.
  void cover(int32_t positions);

  /// [positions, head_dim / 2]
  const float* cos() const { return cos_.data(); }
  const float* sin() const { return sin_.data(); }
  int32_t positions() const { return positions_; }

 private:
  RopeConfig rope_;
  int32_t head_dim_;
  int32_t positions_ = 0;
  std::vector<float> cos_, sin_;
};

}  // namespace tessera::models
