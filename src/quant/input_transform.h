// InputTransform: what a linear does to its input row before it is quantized and multiplied, as its weights
// expect it. It undoes what was multiplied into the weights, so a checkpoint with it cannot run without it.
// The same steps serve what comes out of a linear, and the heads of queries and keys. Plain data.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

namespace tessera::quant {

/// x[k] *= factors[k].
struct ColumnFactors {
  std::vector<float> factors;  // [in]
  bool operator==(const ColumnFactors&) const = default;
};

/// x as a [rows, columns] matrix, rows * columns = in, becomes left^T (x right): x times a Kronecker product.
struct KroneckerPair {
  int64_t rows = 0, columns = 0;
  std::vector<float> left;   // [rows, rows]
  std::vector<float> right;  // [columns, columns]
  bool operator==(const KroneckerPair&) const = default;
};

/// x becomes x[from[0]], x[from[1]], ...: weights whose columns were put into another order.
struct ColumnOrder {
  std::vector<int32_t> from;  // [in], each column once
  bool operator==(const ColumnOrder&) const = default;
};

inline constexpr int64_t kMaxHadamardBase = 256;

/// Each block of `size` numbers becomes block * H / sqrt(size), with the H = B (x) Sylvester of
/// kernels/hadamard, or its transpose.
struct BlockHadamard {
  int64_t size = 0;               // base times a power of two
  int64_t base = 1;               // 1, or a multiple of 4 up to kMaxHadamardBase
  std::vector<float> signs = {};  // B: [base, base] of 1 and -1; empty when base is 1
  bool transposed = false;
  bool operator==(const BlockHadamard&) const = default;
};

struct SquareMatrix {
  int64_t size = 0;
  std::vector<float> values;  // [size, size]
  bool operator==(const SquareMatrix&) const = default;
};

/// Each block of matrix->size numbers becomes block * matrix. A checkpoint has few such matrices for many
/// linears, so they are shared.
struct BlockMatrix {
  std::shared_ptr<const SquareMatrix> matrix;  // not null
  bool operator==(const BlockMatrix& other) const {
    return matrix == other.matrix || *matrix == *other.matrix;
  }
};

using TransformStep = std::variant<ColumnFactors, KroneckerPair, ColumnOrder, BlockHadamard, BlockMatrix>;

/// Steps in the order in which they are applied; none = the input as it is.
using InputTransform = std::vector<TransformStep>;

}  // namespace tessera::quant
