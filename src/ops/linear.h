// Linear: y = x W^T + bias with W packed for this machine (NZ tiles, DESIGN section 6), in whatever scheme
// the checkpoint gave it. Immutable after pack(); forward passes of several linears over one input share its
// codes.
//
//   Linear q = TRY(Linear::pack(std::move(data), FloatKind::kBf16, pool));
//   input.reset(x);
//   run_linears(input, {{{&q, q_out}, {&k, k_out}}}, pool);
#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "ops/linear_input.h"
#include "quant/linear_data.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// What float weights are kept and multiplied in.
enum class FloatKind : uint8_t { kBf16, kF32 };

class Linear {
 public:
  Linear() = default;

  /// Packs and frees `data`. Integer weights with integer activations stay integers; float weights become
  /// `kind`; integer weights with float activations are dequantized to `kind` (no kernel of ours unpacks them
  /// yet). kUnsupported for what no kernel runs, naming it; kResourceExhausted.
  static Result<Linear> pack(quant::LinearData data, FloatKind kind, ThreadPool& pool);

  /// Whether a kernel runs weights of `in` columns in this scheme; kUnsupported says what is missing. Before
  /// any read.
  static Status check(const quant::LinearScheme& scheme, int64_t in);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  const quant::LinearScheme& scheme() const { return scheme_; }
  /// Of weights, scales and bias in memory.
  int64_t packed_bytes() const;

  /// Row `index` of W widened to float32: what a tied embedding looks up. Float weights only. out: [in]
  void read_row(int64_t index, float* out) const;

 private:
  enum class Storage : uint8_t { kInteger, kBf16, kF32 };
  friend class LinearRun;

  Status pack_integer(const quant::LinearData& data, ThreadPool& pool);
  Status pack_float(const quant::LinearData& data, FloatKind kind, ThreadPool& pool);

  quant::LinearScheme scheme_;
  Storage storage_ = Storage::kF32;
  int64_t out_ = 0, in_ = 0;
  AlignedBuffer tiles_, scales_, bias_;
};

/// One product over a shared input. y: [tokens, out].
struct LinearCall {
  const Linear* linear = nullptr;
  MatrixView<float> y;
};

/// Runs all calls over `input` with one barrier: their panels are one list of tasks. Every call's `in` is the
/// input's width, its y has the input's rows.
void run_linears(LinearInput& input, std::span<const LinearCall> calls, ThreadPool& pool);

}  // namespace tessera::ops
