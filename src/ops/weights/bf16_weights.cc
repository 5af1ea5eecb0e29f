// Weights as bf16 in NZ tiles: kernels/gemm_f/gemm_bf16.
#include <fmt/format.h>

#include "kernels/gemm_f/gemm_bf16.h"
#include "ops/weights/float_weights.h"
#include "tensor/float_convert.h"

namespace tessera::ops {
namespace {

struct Bf16Tiles {
  using Element = uint16_t;
  static constexpr InputForm kInput = InputForm::kBf16;
  static MatrixView<const uint16_t> input(const Operand& x) { return x.bf16; }

  static int64_t elements(int64_t out, int64_t in) {
    return kernels::panels(out) * kernels::packed_bf16_panel_elements(in);
  }

  static void pack(const Tensor& values, int64_t first, int64_t rows, int64_t in, uint16_t* all) {
    uint16_t* panel = panel_of(all, first, in);
    const int64_t at = first * in;
    if (values.dtype() == DType::kF32) {
      kernels::pack_bf16_panel_from_f32(values.as<float>().data() + at, in, rows, in, panel);
    } else if (values.dtype() == DType::kBF16) {
      kernels::pack_bf16_panel(values.as<uint16_t>().data() + at, in, rows, in, panel);
    } else {
      kernels::pack_bf16_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
    }
  }

  static void read_row(const uint16_t* all, int64_t index, int64_t in, float* row) {
    const uint16_t* panel = panel_of(all, index, in);
    const int64_t lane = index % kernels::kPanel;
    for (int64_t k = 0; k < in; ++k)
      row[k] = bf16_to_f32(panel[((k / 2) * kernels::kPanel + lane) * 2 + k % 2]);
  }

  static void multiply(const kernels::GemmBf16Args& args) { kernels::gemm_bf16(args); }
  static std::string kernel() { return fmt::format("gemm_bf16/{}", kernels::gemm_bf16_variant()); }

 private:
  /// The panel that row `row` lies in.
  template <class T>
  static T* panel_of(T* all, int64_t row, int64_t in) {
    return all + row / kernels::kPanel * kernels::packed_bf16_panel_elements(in);
  }
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float() && scheme.activation.bits != 16) return "activations are quantized";
  return kind == FloatKind::kBf16 ? "" : "float32 is wanted";
}

}  // namespace

const WeightKind kBf16Weights{"gemm_bf16",
                              WeightLayout::kNz,
                              refusal,
                              FloatWeights<Bf16Tiles>::bytes_of,
                              FloatWeights<Bf16Tiles>::pack,
                              FloatWeights<Bf16Tiles>::restore};

}  // namespace tessera::ops
