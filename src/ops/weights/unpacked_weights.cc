// Integer weights with float activations (W4A16, W8A16), in NZ tiles that are unpacked on their way to the
// multiplier: kernels/gemm_unpack. They take the memory of their codes, not that of bf16.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include "base/buffer.h"
#include "base/check.h"
#include "kernels/gemm_unpack/gemm_unpack.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"

namespace tessera::ops {
namespace {

/// The kernel's table of bf16 values ends at codes minus zero points of this width.
Status check_zero_points(std::span<const int8_t> zero_points, int bits) {
  const int top = 1 << (bits - 1);
  const auto outside = [&](int8_t zero) { return zero < -top || zero >= top; };
  const auto at = std::ranges::find_if(zero_points, outside);
  if (at == zero_points.end()) return {};
  return data_corrupt("zero point {} is {}, expected {}..{}", at - zero_points.begin(), int{*at}, -top,
                      top - 1);
}

/// In bytes.
struct Sizes {
  size_t tiles = 0, scales = 0, zeros = 0;
};

Sizes sizes_of(const quant::WeightScheme& scheme, int64_t out, int64_t in) {
  const int64_t panels = kernels::panels(out), per_row = scheme.group_size == 0 ? 1 : in / scheme.group_size;
  const auto groups = static_cast<size_t>(panels * per_row * kernels::kPanel);
  return {.tiles = static_cast<size_t>(panels * kernels::packed_codes_panel_bytes(in, scheme.bits)),
          .scales = groups * sizeof(float),
          .zeros = scheme.symmetric ? 0 : groups};
}

/// X: float or uint16_t (bf16), the activations.
template <class X>
class UnpackedWeights final : public PackedWeights {
 public:
  static int64_t bytes_of(const quant::LinearScheme& scheme, int64_t out, int64_t in) {
    const Sizes sizes = sizes_of(scheme.weight, out, in);
    return static_cast<int64_t>(sizes.tiles + sizes.scales + sizes.zeros);
  }

  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    CHECK(data.zero_points.empty() == data.scheme.weight.symmetric, "{} with {} zero points",
          data.scheme.name(), data.zero_points.size());
    TRY_STATUS(check_zero_points(data.zero_points, data.scheme.weight.bits));
    auto weights = std::make_unique<UnpackedWeights>();
    TRY_STATUS(weights->allocate(data));
    weights->fill(data, pool);
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  static Result<std::unique_ptr<const PackedWeights>> restore(const quant::LinearScheme& scheme, int64_t out,
                                                              int64_t in, StoredArrays arrays) {
    const Sizes sizes = sizes_of(scheme.weight, out, in);
    auto buffers = TRY(borrow_arrays(arrays, {sizes.tiles, sizes.scales, sizes.zeros}));
    TRY_STATUS(check_zero_points({buffers[2].as<int8_t>(), sizes.zeros}, scheme.weight.bits));
    auto weights = std::make_unique<UnpackedWeights>();
    weights->tiles_ = std::move(buffers[0]);
    weights->scales_ = std::move(buffers[1]);
    weights->zeros_ = std::move(buffers[2]);
    weights->view_arrays(scheme.weight, out, in);
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return kBf16 ? InputForm::kBf16 : InputForm::kFloat; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    const MatrixView<const X> rows = rows_of(x);
    kernels::gemm_unpack(kernels::GemmUnpackArgs<X>{.x = rows.data,
                                                    .x_stride = rows.stride,
                                                    .w = view_,
                                                    .bias = y.bias,
                                                    .y = y.y,
                                                    .y_stride = y.y_stride,
                                                    .accumulate = y.accumulate,
                                                    .row_begin = tile.row_begin,
                                                    .row_end = tile.row_end,
                                                    .panel_begin = tile.panel_begin,
                                                    .panel_end = tile.panel_end});
  }

  int64_t bytes() const override {
    return static_cast<int64_t>(tiles_.size() + scales_.size() + zeros_.size());
  }

  std::vector<std::span<const std::byte>> arrays() const override {
    return {tiles_.bytes(), scales_.bytes(), zeros_.bytes()};
  }

  void read_row(int64_t index, float* out) const override {
    const int64_t group_size = view_.group_size == 0 ? view_.k : view_.group_size;
    const int64_t first = index / kernels::kPanel * (view_.k / group_size) * kernels::kPanel;
    for (int64_t k = 0; k < view_.k; ++k) {
      const int64_t group = first + k / group_size * kernels::kPanel + index % kernels::kPanel;
      const int zero = view_.zeros == nullptr ? 0 : view_.zeros[group];
      const int code = kernels::packed_code(view_.tiles, view_.k, view_.bits, view_.group_size, index, k);
      out[k] = static_cast<float>(code - zero) * view_.scales[group];
    }
  }

  std::string_view kernel() const override {
    static const std::string name = fmt::format(
        "gemm_unpack/{}", kBf16 ? kernels::gemm_unpack_bf16_variant() : kernels::gemm_unpack_f32_variant());
    return name;
  }

 private:
  static constexpr bool kBf16 = std::is_same_v<X, uint16_t>;

  static MatrixView<const X> rows_of(const Operand& x) {
    if constexpr (kBf16) {
      return x.bf16;
    } else {
      return x.rows;
    }
  }

  Status allocate(const quant::LinearData& data) {
    const quant::WeightScheme& scheme = data.scheme.weight;
    const Sizes sizes = sizes_of(scheme, data.out, data.in);
    tiles_ = TRY(AlignedBuffer::allocate_lasting(sizes.tiles));
    scales_ = TRY(AlignedBuffer::allocate_lasting(sizes.scales));
    if (sizes.zeros != 0) zeros_ = TRY(AlignedBuffer::allocate_lasting(sizes.zeros));
    view_arrays(scheme, data.out, data.in);
    return {};
  }

  void view_arrays(const quant::WeightScheme& scheme, int64_t out, int64_t in) {
    view_ = {.tiles = tiles_.as<uint8_t>(),
             .scales = scales_.as<float>(),
             .zeros = zeros_.empty() ? nullptr : zeros_.as<int8_t>(),
             .n = out,
             .k = in,
             .bits = scheme.bits,
             .group_size = scheme.group_size};
  }

  void fill(const quant::LinearData& data, ThreadPool& pool) {
    const int64_t panel_bytes = kernels::packed_codes_panel_bytes(view_.k, view_.bits);
    const int8_t* codes = data.values.as<int8_t>().data();
    for_panels(data.out, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      kernels::pack_codes_panel(codes + first * view_.k, view_.k, rows, view_.k, view_.bits, view_.group_size,
                                tiles_.as<uint8_t>() + panel * panel_bytes);
      const int64_t group = first * data.groups();
      kernels::pack_group_panel(data.scales.data() + group, rows, data.groups(), scales_.as<float>() + group);
      if (view_.zeros == nullptr) return;
      kernels::pack_group_panel(data.zero_points.data() + group, rows, data.groups(),
                                zeros_.as<int8_t>() + group);
    });
  }

  AlignedBuffer tiles_, scales_, zeros_;
  kernels::PackedCodes view_;  // of all three
};

std::string refusal(const quant::LinearScheme& scheme, int64_t in) {
  if (scheme.is_float()) return "float weights";
  if (scheme.activation.bits != 16) return "activations are quantized";
  const int group = scheme.weight.group_size;
  if (group % 32 != 0) return fmt::format("groups of {}, expected a multiple of 32", group);
  if (group != 0 && in % group != 0) return fmt::format("groups of {} do not divide {} inputs", group, in);
  return "";
}
std::string refusal_bf16(const quant::LinearScheme& scheme, int64_t in, FloatKind kind) {
  return kind == FloatKind::kBf16 ? refusal(scheme, in) : "float32 is wanted";
}
std::string refusal_f32(const quant::LinearScheme& scheme, int64_t in, FloatKind kind) {
  return kind == FloatKind::kF32 ? refusal(scheme, in) : "bf16 is wanted";
}

}  // namespace

const WeightKind kUnpackedBf16Weights{"gemm_unpack",
                                      WeightLayout::kNz,
                                      refusal_bf16,
                                      UnpackedWeights<uint16_t>::bytes_of,
                                      UnpackedWeights<uint16_t>::pack,
                                      UnpackedWeights<uint16_t>::restore};
const WeightKind kUnpackedF32Weights{"gemm_unpack_f32",
                                     WeightLayout::kNz,
                                     refusal_f32,
                                     UnpackedWeights<float>::bytes_of,
                                     UnpackedWeights<float>::pack,
                                     UnpackedWeights<float>::restore};

}  // namespace tessera::ops
