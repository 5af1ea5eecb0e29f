// ScratchRows: float32 rows of a worker's own, for results that are used up while they are in the cache.
#pragma once

#include "base/buffer.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// Rows that go through scratch at once: what the kernels walk under one panel of weights, so that no weight
/// is read more often for it.
inline constexpr int64_t kScratchRows = 192;

class ScratchRows {
 public:
  /// [count, cols]; contents are undefined. Invalidates what was given before.
  MatrixView<float> rows(int64_t count, int64_t cols) {
    // One cache line more: rows a power of two apart would share few sets of the first-level cache.
    const int64_t stride = (cols + 15) / 16 * 16 + 16;
    buffer_.reserve(static_cast<size_t>(count * stride) * sizeof(float));
    return {buffer_.as<float>(), count, cols, stride};
  }

 private:
  AlignedBuffer buffer_;
};

}  // namespace tessera::ops
