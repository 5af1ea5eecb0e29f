// Weights as float32 in NZ tiles: kernels/gemm_f/gemm_f32.
#include <fmt/format.h>

#include "kernels/gemm_f/gemm_f32.h"
#include "ops/weights/float_weights.h"

namespace tessera::ops {
namespace {

struct F32Tiles {
  using Element = float;
  static constexpr InputForm kInput = InputForm::kFloat;
  static MatrixView<const float> input(const Operand& x) { return x.rows; }

  static int64_t elements(int64_t out, int64_t in) {
    return kernels::panels(out) * kernels::packed_f32_panel_floats(in);
  }

  static void pack(const Tensor& values, int64_t first, int64_t rows, int64_t in, float* all) {
    float* panel = panel_of(all, first, in);
    const int64_t at = first * in;
    if (values.dtype() == DType::kF32) {
      kernels::pack_f32_panel(values.as<float>().data() + at, in, rows, in, panel);
    } else if (values.dtype() == DType::kBF16) {
      kernels::pack_f32_panel_from_bf16(values.as<uint16_t>().data() + at, in, rows, in, panel);
    } else {
      kernels::pack_f32_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
    }
  }

  static void read_row(const float* all, int64_t index, int64_t in, float* row) {
    const float* panel = panel_of(all, index, in);
    for (int64_t k = 0; k < in; ++k)
      row[k] = panel[k * kernels::kPanel + index % kernels::kPanel];
  }

  static void multiply(const kernels::GemmF32Args& args) { kernels::gemm_f32(args); }
  static std::string kernel() { return fmt::format("gemm_f32/{}", kernels::gemm_f32_variant()); }

 private:
  /// The panel that row `row` lies in.
  template <class T>
  static T* panel_of(T* all, int64_t row, int64_t in) {
    return all + row / kernels::kPanel * kernels::packed_f32_panel_floats(in);
  }
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float() && scheme.activation.bits != 16) return "activations are quantized";
  return kind == FloatKind::kF32 ? "" : "bf16 is wanted";
}

}  // namespace

const WeightKind kF32Weights{"gemm_f32",
                             WeightLayout::kNz,
                             refusal,
                             FloatWeights<F32Tiles>::bytes_of,
                             FloatWeights<F32Tiles>::pack,
                             FloatWeights<F32Tiles>::restore};

}  // namespace tessera::ops
