// Integer weights with integer activations, in NZ tiles: kernels/gemm_s8.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/buffer.h"
#include "kernels/gemm_s8/gemm_s8.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"

namespace tessera::ops {
namespace {

class IntegerWeights final : public PackedWeights {
 public:
  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    auto weights = std::make_unique<IntegerWeights>();
    const quant::WeightScheme& scheme = data.scheme.weight;
    const int64_t out = data.out, in = data.in;
    const int64_t panel_bytes = kernels::packed_s8_panel_bytes(in, scheme.bits);
    const auto scales = static_cast<size_t>(data.groups() * kernels::padded_n(out));
    weights->tiles_ = TRY(AlignedBuffer::allocate(static_cast<size_t>(kernels::panels(out) * panel_bytes)));
    weights->scales_ = TRY(AlignedBuffer::allocate(scales * sizeof(float)));
    const int8_t* codes = data.values.as<int8_t>().data();
    auto* tiles = weights->tiles_.as<uint8_t>();
    for_panels(out, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      kernels::pack_s8_panel(codes + first * in, in, rows, in, scheme.bits, tiles + panel * panel_bytes);
    });
    kernels::pack_scales(data.scales.data(), out, data.groups(), weights->scales_.as<float>());
    weights->x_bits_ = data.scheme.activation.bits;
    weights->view_ = {.tiles = tiles,
                      .scales = weights->scales_.as<float>(),
                      .n = out,
                      .k = in,
                      .bits = scheme.bits,
                      .group_size = scheme.group_size};
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return InputForm::kCodes; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    kernels::gemm_s8({.x = x.codes,
                      .w = view_,
                      .x_bits = x_bits_,
                      .bias = y.bias,
                      .y = y.y,
                      .y_stride = y.y_stride,
                      .accumulate = y.accumulate,
                      .row_begin = tile.row_begin,
                      .row_end = tile.row_end,
                      .panel_begin = tile.panel_begin,
                      .panel_end = tile.panel_end});
  }

  int64_t bytes() const override { return static_cast<int64_t>(tiles_.size() + scales_.size()); }

  void read_row(int64_t index, float* out) const override {
    const int64_t group_size = view_.group_size == 0 ? view_.k : view_.group_size;
    for (int64_t k = 0; k < view_.k; ++k) {
      const int code = kernels::packed_s8_code(view_.tiles, view_.k, view_.bits, index, k);
      out[k] = static_cast<float>(code) * view_.scales[k / group_size * kernels::padded_n(view_.n) + index];
    }
  }

  std::string_view kernel() const override {
    static const std::string name = fmt::format("gemm_s8/{}", kernels::gemm_s8_variant());
    return name;
  }

 private:
  AlignedBuffer tiles_, scales_;
  kernels::PackedS8 view_;  // of both
  int x_bits_ = 8;
};

std::string refusal(const quant::LinearScheme& scheme, int64_t in, FloatKind) {
  const auto& weight = scheme.weight;
  const auto& activation = scheme.activation;
  if (scheme.is_float()) return "float weights";
  if (activation.bits == 16) return "activations are not quantized";
  if (!weight.symmetric) return "zero points, expected symmetric weights";
  if (activation.is_static) return "static activations, expected one scale per token";
  if (activation.group_size != 0) return "activations in groups, expected one scale per token";
  if (in > kernels::kMaxGemmS8K) {
    return fmt::format("{} inputs, expected at most {}", in, kernels::kMaxGemmS8K);
  }
  if (weight.group_size % kernels::kSumBlock != 0) {
    return fmt::format("groups of {}, expected a multiple of {}", weight.group_size, kernels::kSumBlock);
  }
  return "";
}

}  // namespace

const WeightKind kIntegerWeights{"gemm_s8", WeightLayout::kNz, refusal, IntegerWeights::pack};

}  // namespace tessera::ops
