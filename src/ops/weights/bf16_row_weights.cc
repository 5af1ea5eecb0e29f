// Weights as bf16 in rows, as in the checkpoint: kernels/gemm_f/gemm_bf16_rows. For `--weight-layout nd`.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/buffer.h"
#include "kernels/gemm_f/gemm_bf16_rows.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"
#include "quant/dequantize.h"
#include "tensor/float_convert.h"

namespace tessera::ops {
namespace {

/// `rows` rows of `in` values to rows of padded_k_bf16(in), whose padding is 0 already.
void narrow_rows(const Tensor& values, int64_t first, int64_t rows, int64_t in, uint16_t* out) {
  const int64_t stride = kernels::padded_k_bf16(in);
  const auto copy = [&](const auto* from, const auto& narrow) {
    for (int64_t row = first; row < first + rows; ++row)
      std::transform(from + row * in, from + (row + 1) * in, out + row * stride, narrow);
  };
  if (values.dtype() == DType::kF32) {
    copy(values.as<float>().data(), [](float x) { return f32_to_bf16(x); });
  } else if (values.dtype() == DType::kBF16) {
    copy(values.as<uint16_t>().data(), [](uint16_t x) { return x; });
  } else {
    copy(values.as<uint16_t>().data(), [](uint16_t x) { return f32_to_bf16(f16_to_f32(x)); });
  }
}

class Bf16RowWeights final : public PackedWeights {
 public:
  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    const quant::LinearData floats = TRY(quant::dequantize(std::move(data)));
    auto weights = std::make_unique<Bf16RowWeights>();
    weights->out_ = floats.out;
    weights->in_ = floats.in;
    const auto elements = static_cast<size_t>(floats.out * kernels::padded_k_bf16(floats.in));
    weights->rows_ = TRY(AlignedBuffer::allocate_lasting(elements * sizeof(uint16_t)));
    for_panels(floats.out, pool, [&](int64_t, int64_t first, int64_t rows) {
      narrow_rows(floats.values, first, rows, floats.in, weights->rows_.as<uint16_t>());
    });
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return InputForm::kBf16; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    kernels::gemm_bf16_rows({.x = x.bf16.data,
                             .x_stride = x.bf16.stride,
                             .w = rows_.as<uint16_t>(),
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

  int64_t bytes() const override { return static_cast<int64_t>(rows_.size()); }

  void read_row(int64_t index, float* out) const override {
    const uint16_t* row = rows_.as<uint16_t>() + index * kernels::padded_k_bf16(in_);
    std::transform(row, row + in_, out, bf16_to_f32);
  }

  std::string_view kernel() const override {
    static const std::string name = fmt::format("gemm_bf16_rows/{}", kernels::gemm_bf16_rows_variant());
    return name;
  }

 private:
  AlignedBuffer rows_;
  int64_t out_ = 0, in_ = 0;
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float()) return "integer weights";
  return kind == FloatKind::kBf16 ? "" : "float32 is wanted";
}

}  // namespace

const WeightKind kBf16RowWeights{"gemm_bf16_rows", WeightLayout::kNd, refusal, Bf16RowWeights::pack};

}  // namespace tessera::ops
