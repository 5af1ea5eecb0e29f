// Workspace: a float32 matrix that grows and is reused from layer to layer and step to step.
#pragma once

#include "base/buffer.h"
#include "tensor/matrix.h"

namespace tessera::models {

class Workspace {
 public:
  /// [rows, cols]; contents are undefined. Invalidates what was given before.
  MatrixView<float> matrix(int64_t rows, int64_t cols) {
    buffer_.reserve(static_cast<size_t>(rows * cols) * sizeof(float));
    return {buffer_.as<float>(), rows, cols};
  }

 private:
  AlignedBuffer buffer_;
};

}  // namespace tessera::models
