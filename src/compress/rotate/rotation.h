// Rotation: multiplying rows or columns by an orthogonal matrix Q = diag(signs) H / sqrt(n) in float64, where
// H is kernels/hadamard.h's matrix. Random signs decorrelate what a plain Hadamard matrix lines up (QuaRot,
// arXiv 2404.00456). Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace tessera::compress {

class Rotation {
 public:
  /// Of blocks of `size` values. With a seed the signs are random, without they are all 1: what a checkpoint
  /// can name without storing a matrix. kUnsupported when there is no Hadamard matrix of this size.
  static Result<Rotation> plain(int64_t size);
  static Result<Rotation> random(int64_t size, uint64_t seed);

  int64_t size() const { return size_; }
  /// x <- x Q, block by block. x: a multiple of size() values. `scratch` is used, any contents.
  void apply(std::span<double> x, std::vector<double>& scratch) const;

 private:
  Rotation(int64_t size, int64_t base) : size_(size), base_(base) {}
  void apply_block(std::span<double> x, std::vector<double>& scratch) const;

  int64_t size_, base_;
  std::vector<float> base_signs_;  // [base, base]; empty when base is 1
  std::vector<double> signs_;      // [size], 1 or -1, over sqrt(size)
};

}  // namespace tessera::compress
