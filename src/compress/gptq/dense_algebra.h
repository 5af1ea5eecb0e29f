// DenseAlgebra: the few operations on large dense matrices that GPTQ needs, by OpenBLAS
// (docs/decisions/0007), which is opened when first asked for, so that no other command carries it.
// Row-major. One caller at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace tessera::compress {

class DenseAlgebra {
 public:
  /// kUnavailable, naming the package, where the library is not installed.
  static Result<std::unique_ptr<DenseAlgebra>> open(int threads);

  /// The lower half of c [n, n] += x^T x, x: [rows, n].
  void add_gram(const float* x, int64_t rows, int64_t n, float* c) const;
  /// c [m, n] -= a b, with a [m, k], b [k, n] and strides in elements.
  void subtract_product(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* c,
                        int64_t c_stride, int64_t m, int64_t n, int64_t k) const;
  /// The lower half of the symmetric positive definite `a` [n, n] becomes L^-1, where a = L L^T; the upper
  /// half is left alone. False, with undefined contents, when `a` is not positive definite.
  [[nodiscard]] bool inverse_cholesky(std::span<double> a, int64_t n) const;

 private:
  DenseAlgebra() = default;
  struct Functions;
  std::shared_ptr<const Functions> functions_;
};

}  // namespace tessera::compress
