// InputTransform: a quant::InputTransform made ready to run, on what a linear quantizes and multiplies, on
// what comes out of it, or on the heads of queries and keys. Rows are independent and the sums' order is
// fixed (gemm_f32, hadamard), so a row has the same bits in any batch, on any number of threads and on every
// instruction set. Immutable; thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "quant/input_transform.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// The packed form of matrices that several transforms use, each made once. Used while a model is packed; the
/// transforms keep what they use. Thread-safe.
class SharedMatrices {
 public:
  /// kResourceExhausted.
  Result<std::shared_ptr<const AlignedBuffer>> packed(
      const std::shared_ptr<const quant::SquareMatrix>& matrix);
  /// Of all of them, with the numbers that they were packed from.
  int64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::shared_ptr<const quant::SquareMatrix>, std::shared_ptr<const AlignedBuffer>> packed_;
};

class InputTransform {
 public:
  /// `steps` are for rows of `in` columns and not empty. `shared`: null, or where the packed matrices are.
  /// kInvalidArgument when their sizes do not fit; kResourceExhausted.
  static Result<std::unique_ptr<const InputTransform>> make(quant::InputTransform steps, int64_t in,
                                                            SharedMatrices* shared = nullptr);

  /// y = transformed x; both [rows, in]. y may not overlap x.
  void apply(MatrixView<const float> x, MatrixView<float> y, ThreadPool& pool) const;
  /// rows [rows, in] become their transforms. No threads.
  void apply_in_place(MatrixView<float> rows) const;

  /// The same steps, number by number: then the outcome may be shared.
  bool operator==(const InputTransform& other) const { return steps_ == other.steps_; }
  const quant::InputTransform& steps() const { return steps_; }
  /// Without matrices that are shared.
  int64_t bytes() const;

 private:
  /// gemm_f32's form of a Kronecker pair: y = x right and y = x left, as products with transposed matrices.
  struct PackedPair {
    AlignedBuffer left, right;
  };
  using Packed = std::variant<std::monostate, PackedPair, std::shared_ptr<const AlignedBuffer>>;

  static Result<Packed> pack(const quant::TransformStep& step, SharedMatrices* shared);
  void apply_rows(MatrixView<const float> x, MatrixView<float> y, float* scratch) const;
  static void apply_step(const quant::TransformStep& step, const Packed& packed, MatrixView<const float> x,
                         MatrixView<float> y, float* scratch);

  quant::InputTransform steps_;
  std::vector<Packed> packed_;  // one for each step; nothing where the kernel reads the step itself
};

}  // namespace tessera::ops
