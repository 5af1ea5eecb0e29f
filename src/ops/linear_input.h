// LinearInput: one activation matrix in every form that linears ask for, each made once: integer codes (q/k/v
// share them, gate/up share them) or bf16. Owns workspaces that grow and are reused; one caller at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/quantize_rows/quantized_rows.h"
#include "quant/scheme.h"
#include "tensor/matrix.h"

namespace tessera::ops {

class LinearInput {
 public:
  /// Forgets the forms of the matrix before. `x` [tokens, in] must live until the last use.
  void reset(MatrixView<const float> x);

  MatrixView<const float> rows() const { return x_; }
  /// The codes for `scheme` (4 or 8 bits); made on first use.
  kernels::QuantizedRows quantized(const quant::ActivationScheme& scheme, ThreadPool& pool);
  /// bf16 bits, [tokens, padded_k_bf16(in)].
  MatrixView<const uint16_t> bf16(ThreadPool& pool);

 private:
  MatrixView<const float> x_;
  std::optional<quant::ActivationScheme> codes_scheme_;
  bool has_bf16_ = false;
  AlignedBuffer codes_, scales_, sums_, bf16_;
};

}  // namespace tessera::ops
