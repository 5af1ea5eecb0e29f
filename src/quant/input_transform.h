// InputTransform: what a linear does to its input row before it is quantized and multiplied, as its weights
// expect it. It undoes what was multiplied into the weights, so a checkpoint with it cannot run without it.
// Plain data.
#pragma once

#include <cstdint>
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

using TransformStep = std::variant<ColumnFactors, KroneckerPair, ColumnOrder>;

/// Steps in the order in which they are applied; none = the input as it is.
using InputTransform = std::vector<TransformStep>;

}  // namespace tessera::quant
