// LinearInput: one activation matrix in every form that linears ask for, each made once: integer codes (q/k/v
// share them, gate/up share them) or bf16. Owns workspaces that grow and are reused; one caller at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/quantize_rows/quantized_rows.h"
#include "ops/input_transform.h"
#include "quant/scheme.h"
#include "tensor/matrix.h"

namespace tessera::ops {

class LinearInput {
 public:
  /// Forgets the forms of the matrix before. `x` [tokens, in] must live until the last use.
  void reset(MatrixView<const float> x);

  MatrixView<const float> rows() const { return x_; }
  /// The codes for `scheme` (4 or 8 bits); made on first use, and valid until reset() whatever is asked for
  /// later. `fixed` is read for static schemes.
  kernels::QuantizedRows quantized(const quant::ActivationScheme& scheme, const quant::StaticScale& fixed,
                                   ThreadPool& pool);
  /// bf16 bits, [tokens, padded_k_bf16(in)].
  MatrixView<const uint16_t> bf16(ThreadPool& pool);
  /// The rows after `transform`, with their own forms; made on first use of it or of an equal one, valid
  /// until reset(). `transform` outlives that.
  LinearInput& transformed(const InputTransform& transform, ThreadPool& pool);

 private:
  /// The codes in one scheme.
  struct Codes {
    quant::ActivationScheme scheme;
    quant::StaticScale fixed;
    AlignedBuffer codes, scales, sums;
  };
  /// The rows after one transform.
  struct Transformed {
    const InputTransform* transform = nullptr;
    AlignedBuffer rows;
    std::unique_ptr<LinearInput> input;
  };
  void quantize(Codes& codes, ThreadPool& pool) const;
  kernels::QuantizedRows view(const Codes& codes) const;

  MatrixView<const float> x_;
  // Linears of one input may differ in scheme. A deque, so that none moves while another is added.
  std::deque<Codes> codes_;
  size_t codes_made_ = 0;  // the first ones are of x_, the rest are workspaces
  std::deque<Transformed> transformed_;
  size_t transformed_made_ = 0;  // likewise
  bool has_bf16_ = false;
  AlignedBuffer bf16_;
};

}  // namespace tessera::ops
