// Weights as bf16 in NZ tiles: kernels/gemm_f/gemm_bf16. Integer weights with float activations are
// dequantized.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/buffer.h"
#include "kernels/gemm_f/gemm_bf16.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"
#include "quant/dequantize.h"
#include "tensor/float_convert.h"

namespace tessera::ops {
namespace {

void pack_panel(const Tensor& values, int64_t first, int64_t rows, int64_t in, uint16_t* panel) {
  const int64_t at = first * in;
  if (values.dtype() == DType::kF32) {
    kernels::pack_bf16_panel_from_f32(values.as<float>().data() + at, in, rows, in, panel);
  } else if (values.dtype() == DType::kBF16) {
    kernels::pack_bf16_panel(values.as<uint16_t>().data() + at, in, rows, in, panel);
  } else {
    kernels::pack_bf16_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  }
}

class Bf16Weights final : public PackedWeights {
 public:
  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    const quant::LinearData floats = TRY(quant::dequantize(std::move(data)));
    auto weights = std::make_unique<Bf16Weights>();
    weights->out_ = floats.out;
    weights->in_ = floats.in;
    const int64_t panel_elements = kernels::packed_bf16_panel_elements(floats.in);
    const auto elements = static_cast<size_t>(kernels::panels(floats.out) * panel_elements);
    weights->tiles_ = TRY(AlignedBuffer::allocate_lasting(elements * sizeof(uint16_t)));
    auto* tiles = weights->tiles_.as<uint16_t>();
    for_panels(floats.out, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      pack_panel(floats.values, first, rows, floats.in, tiles + panel * panel_elements);
    });
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return InputForm::kBf16; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    kernels::gemm_bf16({.x = x.bf16.data,
                        .x_stride = x.bf16.stride,
                        .w = tiles_.as<uint16_t>(),
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
    const uint16_t* tile = tiles_.as<uint16_t>() + panel * kernels::packed_bf16_panel_elements(in_);
    for (int64_t k = 0; k < in_; ++k)
      out[k] = bf16_to_f32(tile[((k / 2) * kernels::kPanel + lane) * 2 + k % 2]);
  }

  std::string_view kernel() const override {
    static const std::string name = fmt::format("gemm_bf16/{}", kernels::gemm_bf16_variant());
    return name;
  }

 private:
  AlignedBuffer tiles_;
  int64_t out_ = 0, in_ = 0;
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float() && scheme.activation.bits != 16) return "activations are quantized";
  return kind == FloatKind::kBf16 ? "" : "float32 is wanted";
}

}  // namespace

const WeightKind kBf16Weights{"gemm_bf16", WeightLayout::kNz, refusal, Bf16Weights::pack};

}  // namespace tessera::ops
