// PackedWeights: the weights of one Linear in the layout that one kernel reads, and what that kernel reads
// and writes. There is a class per layout and kernel in ops/weights; the table there (weight_table.h) says
// which one takes what. Immutable and thread-safe: callers split rows and panels over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/quantize_rows/quantized_rows.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// What float weights are kept and multiplied in.
enum class FloatKind : uint8_t { kBf16, kF32 };

/// How weights lie in memory: tiles in the order in which kernels walk them, or rows as in the checkpoint.
enum class WeightLayout : uint8_t { kNz, kNd };

class SharedMatrices;

struct PackOptions {
  FloatKind kind = FloatKind::kBf16;
  WeightLayout layout = WeightLayout::kNz;  // a wish: weights that no kernel runs in it get the other one
  SharedMatrices* matrices = nullptr;       // of transforms, so that linears share them; null: each its own
};

/// The form of the input that a kernel reads.
enum class InputForm : uint8_t { kFloat, kBf16, kCodes };

/// One input matrix [rows, in]; only the form that was asked for is filled.
struct Operand {
  MatrixView<const float> rows = {};
  kernels::QuantizedRows codes = {};
  MatrixView<const uint16_t> bf16 = {};  // [rows, padded_k_bf16(in)]
};

/// Row m of the operand -> y + m * y_stride, as float32 [rows, out].
struct Output {
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;
  int64_t y_stride = 0;     // elements
  bool accumulate = false;  // y += instead of y =
};

/// Rows of the operand times panels of kernels::kPanel outputs.
struct Tile {
  int64_t row_begin = 0, row_end = 0;
  int64_t panel_begin = 0, panel_end = 0;
};

class PackedWeights {
 public:
  PackedWeights() = default;
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;
  virtual ~PackedWeights() = default;

  virtual InputForm input_form() const = 0;
  /// y = x W^T + bias on the tile; nothing else is written. No threads, cannot fail.
  virtual void multiply(const Operand& x, const Output& y, const Tile& tile) const = 0;
  /// In memory, scales included.
  virtual int64_t bytes() const = 0;
  /// Row `index` of W in float32: what a tied embedding looks up. out: [in]
  virtual void read_row(int64_t index, float* out) const = 0;
  /// Everything that they consist of beside scheme and shape, in a fixed order, for WeightKind::restore(); an
  /// array that these weights have not is empty.
  virtual std::vector<std::span<const std::byte>> arrays() const = 0;
  /// For traces: "gemm_s8/avx512".
  virtual std::string_view kernel() const = 0;
};

}  // namespace tessera::ops
