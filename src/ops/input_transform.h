// InputTransform: a linear's quant::InputTransform made ready to run: x -> what is quantized and multiplied.
// Rows are independent and the sums' order is fixed (gemm_f32), so a row has the same bits in any batch, on
// any number of threads and on every instruction set. Immutable; thread-safe.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "quant/input_transform.h"
#include "tensor/matrix.h"

namespace tessera::ops {

class InputTransform {
 public:
  /// `steps` are for rows of `in` columns and not empty. kInvalidArgument when their sizes do not fit;
  /// kResourceExhausted.
  static Result<std::unique_ptr<const InputTransform>> make(quant::InputTransform steps, int64_t in);

  /// y = transformed x; both [rows, in]. y may not overlap x.
  void apply(MatrixView<const float> x, MatrixView<float> y, ThreadPool& pool) const;

  /// The same steps, number by number: then the outcome may be shared.
  bool operator==(const InputTransform& other) const { return steps_ == other.steps_; }
  int64_t bytes() const;

 private:
  /// gemm_f32's form of a Kronecker pair: y = x right and y = x left, as products with transposed matrices.
  struct PackedPair {
    int64_t rows = 0, columns = 0;
    AlignedBuffer left, right;
  };

  static Result<PackedPair> pack(const quant::KroneckerPair& pair);
  static void multiply(const PackedPair& pair, const float* x, float* y, float* scratch);
  void apply_row(const float* x, float* y, float* scratch, int64_t in) const;

  quant::InputTransform steps_;
  std::vector<PackedPair> pairs_;  // of the Kronecker steps, in order
};

}  // namespace tessera::ops
