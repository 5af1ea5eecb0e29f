// Linear: y = x W^T + bias with W packed for this machine (DESIGN section 6), in whatever scheme the
// checkpoint gave it: packed_weights.h. A checkpoint may transform x before, and y after it. Immutable after
// pack(); forward passes of several linears over one input share its codes.
//
//   Linear q = TRY(Linear::pack(std::move(data), {.kind = FloatKind::kBf16}, pool));
//   input.reset(x);
//   run_linears(input, {{{&q, q_out}, {&k, k_out}}}, pool);
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/packed/packed_transform.h"
#include "ops/linear_input.h"
#include "ops/packed_weights.h"
#include "ops/weights/observed_weights.h"
#include "quant/linear_data.h"
#include "tensor/matrix.h"

namespace tessera::ops {

struct WeightKind;

class Linear {
 public:
  Linear() = default;

  /// Packs and frees `data`. Integer weights with integer activations stay integers; float weights become
  /// `options.kind`. kUnsupported for what no kernel runs, naming it; kResourceExhausted.
  static Result<Linear> pack(quant::LinearData data, const PackOptions& options, ThreadPool& pool);

  /// What pack() made, pointing into this, without a name.
  formats::PackedEntry stored() const;
  /// The linear that stored() described, packed with these options; arrays are not copied and outlive it.
  /// kUnsupported for a kind of weights that this version does not have, kDataCorrupt.
  static Result<Linear> restore(const formats::PackedEntry& entry, const PackOptions& options,
                                formats::StepReader& steps);

  /// Whether a kernel runs weights of `in` columns in this scheme; kUnsupported says what is missing. Before
  /// any read.
  static Status check(const quant::LinearScheme& scheme, int64_t in);

  /// Shows every input from now on; the weights are float32. Before the linear is used.
  void observe(InputObserver observer);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  const quant::LinearScheme& scheme() const { return scheme_; }
  /// Of weights, scales and bias in memory.
  int64_t packed_bytes() const;

  /// Row `index` of W in float32: what a tied embedding looks up. out: [in]
  void read_row(int64_t index, float* out) const { weights_->read_row(index, out); }

  /// For operators that split the work themselves: the weights, the form of input that they read, the bias
  /// [out] or null.
  const PackedWeights& weights() const { return *weights_; }
  Operand operand(LinearInput& input, ThreadPool& pool) const;
  /// Whether that form depends on more than the scheme, so that other linears of this scheme seldom share it.
  bool has_own_input() const { return transform_ != nullptr || scheme_.activation.is_static; }
  /// What is left to do to whole rows of y = x W^T + bias, in place; null = nothing. run_linears() does it.
  const InputTransform* output_transform() const { return output_transform_.get(); }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.as<float>(); }

 private:
  quant::LinearScheme scheme_;
  quant::StaticScale input_scale_;
  std::unique_ptr<const InputTransform> transform_, output_transform_;  // null = none
  int64_t out_ = 0, in_ = 0;
  const WeightKind* kind_ = nullptr;
  std::unique_ptr<const PackedWeights> weights_;
  AlignedBuffer bias_;
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
