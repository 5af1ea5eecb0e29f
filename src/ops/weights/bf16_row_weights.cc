// Weights as bf16 in rows, as in the checkpoint: kernels/gemm_f/gemm_bf16_rows. For `--weight-layout nd`.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/gemm_f/gemm_bf16_rows.h"
#include "ops/weights/float_weights.h"
#include "tensor/float_convert.h"

namespace tessera::ops {
namespace {

struct Bf16Rows {
  using Element = uint16_t;
  static constexpr InputForm kInput = InputForm::kBf16;
  static MatrixView<const uint16_t> input(const Operand& x) { return x.bf16; }

  static int64_t elements(int64_t out, int64_t in) { return out * kernels::padded_k_bf16(in); }

  static void pack(const Tensor& values, int64_t first, int64_t rows, int64_t in, uint16_t* all) {
    const int64_t stride = kernels::padded_k_bf16(in);
    const auto copy = [&](const auto* from, const auto& narrow) {
      for (int64_t row = first; row < first + rows; ++row)
        std::transform(from + row * in, from + (row + 1) * in, all + row * stride, narrow);
    };
    if (values.dtype() == DType::kF32) {
      copy(values.as<float>().data(), [](float x) { return f32_to_bf16(x); });
    } else if (values.dtype() == DType::kBF16) {
      copy(values.as<uint16_t>().data(), [](uint16_t x) { return x; });
    } else {
      copy(values.as<uint16_t>().data(), [](uint16_t x) { return f32_to_bf16(f16_to_f32(x)); });
    }
  }

  static void read_row(const uint16_t* all, int64_t index, int64_t in, float* row) {
    const uint16_t* from = all + index * kernels::padded_k_bf16(in);
    std::transform(from, from + in, row, bf16_to_f32);
  }

  static void multiply(const kernels::GemmBf16Args& args) { kernels::gemm_bf16_rows(args); }
  static std::string kernel() { return fmt::format("gemm_bf16_rows/{}", kernels::gemm_bf16_rows_variant()); }
};

std::string refusal(const quant::LinearScheme& scheme, int64_t, FloatKind kind) {
  if (!scheme.is_float()) return "integer weights";
  return kind == FloatKind::kBf16 ? "" : "float32 is wanted";
}

}  // namespace

const WeightKind kBf16RowWeights{"gemm_bf16_rows",
                                 WeightLayout::kNd,
                                 refusal,
                                 FloatWeights<Bf16Rows>::bytes_of,
                                 FloatWeights<Bf16Rows>::pack,
                                 FloatWeights<Bf16Rows>::restore};

}  // namespace tessera::ops
