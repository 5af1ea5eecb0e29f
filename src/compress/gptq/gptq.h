// GPTQ (arXiv 2210.17323): one linear rounded column by column, each column's error made up for by those not
// rounded yet, as far as the inputs of the calibration correlate. Columns are taken by falling activation
// ("static act-order"): the scales are those of the original groups, so that the file needs no g_idx.
//
// With H = X^T X of the inputs that the linear will see (quantized, if it quantizes them) and H^-1 = U^T U, U
// upper triangular in the order of the columns: e = (w_i - q_i) / U_ii, w_j -= e U_ij for all j behind i.
// Here the order is ascending and walked from its end: U is then L^-1 of H = L L^T, so that one factorization
// and one triangular inverse are all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "compress/gptq/dense_algebra.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

namespace tessera::compress {

/// Sum of x^T x over the rows that a linear saw.
class Hessian {
 public:
  explicit Hessian(int64_t size) : size_(size), sums_(static_cast<size_t>(size * size)) {}
  /// x: [rows, size], dense.
  void add(const float* x, int64_t rows, const DenseAlgebra& algebra);
  int64_t size() const { return size_; }
  int64_t rows() const { return rows_; }
  const float* lower() const { return sums_.data(); }  // [size, size], the lower half

 private:
  int64_t size_, rows_ = 0;
  std::vector<float> sums_;
};

/// What a Hessian says of the columns, ready for any number of linears over the same input.
struct ColumnOrder {
  std::vector<int32_t> columns;  // of the weight, ascending by what activates them; rounded from the end
  std::vector<float>
      inverse_factor;  // [in, in] L^-1, the lower half; empty: nothing was seen, or not positive definite
};

/// `damping`: of the mean diagonal, added to it (0.01 is usual). Columns that nothing activates are rounded
/// plainly.
ColumnOrder order_columns(const Hessian& hessian, double damping, const DenseAlgebra& algebra);

/// Rounds `weight` [out, in] (destroyed) with the scales given ([out, groups], as stored).
/// order.inverse_factor is not empty.
std::vector<int8_t> gptq_codes(std::span<float> weight, int64_t out, int64_t in,
                               const quant::WeightScheme& scheme, std::span<const float> scales,
                               const ColumnOrder& order, const DenseAlgebra& algebra, ThreadPool& pool);

}  // namespace tessera::compress
