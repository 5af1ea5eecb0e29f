// The matrix of an online transform, from its tensor to steps. Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "quant/input_transform.h"
#include "tensor/tensor.h"

namespace tessera::formats::compressed_tensors {

class TransformMatrix {
 public:
  /// `stored` [n, n], F64, F32, F16 or BF16. is_hadamard: it is divided by sqrt(n). kDataCorrupt for a number
  /// that is not finite.
  static Result<TransformMatrix> make(const Tensor& stored, bool is_hadamard, bool transposed);

  /// Rows of `width` in blocks of n, each times the matrix.
  quant::InputTransform steps(int64_t width) const;

  /// Whether it runs in n log n.
  bool is_fast() const { return dense_ == nullptr; }

 private:
  // diag(factors_) hadamard_, transposed if that is, or a matrix that is not of this kind.
  quant::BlockHadamard hadamard_;
  std::vector<float> factors_;  // [n], 1 and -1
  std::shared_ptr<const quant::SquareMatrix> dense_;
};

}  // namespace tessera::formats::compressed_tensors
