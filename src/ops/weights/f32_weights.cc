// Weights as float32 in NZ tiles: kernels/gemm_f/gemm_f32. Integer weights with float activations are
// dequantized.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/buffer.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"
#include "quant/dequantize.h"

namespace tessera::ops {
namespace {

void pack_panel(const Tensor& values, int64_t first, int64_t rows, int64_t in, float* panel) {
  const int64_t at = first * in;
  if (values.dtype() == DType::kF32) {
    kernels::pack_f32_panel(values.as<float>().data() + at, in, rows, in, panel);
  } else if (values.dtype() == DType::kBF16) {
    kernels::pack_f32_panel_from_bf16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  } else {
    kernels::pack_f32_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  }
}

class F32Weights final : public PackedWeights {
 public:
  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    const quant::LinearData floats = TRY(quant::dequantize(std::move(data)));
    auto weights = std::make_unique<F32Weights>();
    weights->out_ = floats.out;
    weights->in_ = floats.in;
    const int64_t panel_floats = kernels::packed_f32_panel_floats(floats.in);
    const auto count = static_cast<size_t>(kernels::panels(floats.out) * panel_floats);
    weights->tiles_ = TRY(AlignedBuffer::allocate_lasting(count * sizeof(float)));
    auto* tiles = weights->tiles_.as<float>();
    for_panels(floats.out, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      pack_panel(floats.values, first, rows, floats.in, tiles + panel * panel_floats);
    });
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return InputForm::kFloat; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    kernels::gemm_f32({.x = x.rows.data,
                       .x_stride = x.rows.stride,
                       .w = tiles_.as<float>(),
                       .n = out_,
                       .k = in_,
                       .bias = y.bias,
                       .y = y.y,
                       .y_stride = y.y_stride,
                       .accumulate = y.accumulate,
                       .row_begin = tile.row_begin,
                       .row_end = tile.row_end,
                       .panel_begin = tile.panel_begin,
                       .panel_end = tile.panel_end});
  }

  int64_t bytes() const override { return static_cast<int64_t>(tiles_.size()); }

  void read_row(int64_t index, float* out) const override {
    const int64_t panel = index / kernels::kPanel, lane = index % kernels::kPanel;
    const float* tile = tiles_.as<float>() + panel * kernels::packed_f32_panel_floats(in_);
    for (int64_t k = 0; k < in_; ++k)
      out[k] = tile[k * kernels::kPanel + lane];
  }

  std::string_view kernel() const override {
    static const std::string name = fmt::format("gemm_f32/{}", kernels::gemm_f32_variant());
    return name;
  }

 private:
  AlignedBuffer tiles_;
  int64_t out_ = 0, in_ = 0;
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float() && scheme.activation.bits != 16) return "activations are quantized";
  return kind == FloatKind::kF32 ? "" : "bf16 is wanted";
}

}  // namespace

const WeightKind kF32Weights{"gemm_f32", WeightLayout::kNz, refusal, F32Weights::pack};

}  // namespace tessera::ops
