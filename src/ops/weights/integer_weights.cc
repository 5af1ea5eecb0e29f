// Integer weights with integer activations, in NZ tiles or row-major: kernels/gemm_s8.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "kernels/gemm_s8/gemm_s8.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"

namespace tessera::ops {
namespace {

/// Columns that share a scale in the kernel: of the weights, or of the activations where those are finer.
int64_t kernel_group(const quant::LinearScheme& scheme) {
  const int64_t weights = scheme.weight.group_size, input = scheme.activation.group_size;
  return input != 0 && (weights == 0 || input < weights) ? input : weights;
}

/// [out, groups of the checkpoint] -> [out, groups of the kernel].
template <class T>
std::vector<T> finer(const std::vector<T>& values, int64_t times) {
  std::vector<T> result;
  result.reserve(values.size() * static_cast<size_t>(times));
  for (const T& value : values)
    result.insert(result.end(), static_cast<size_t>(times), value);
  return result;
}

/// What a static zero point of the input adds to the sums of a row of weights: sum_k (q - zero) * (w - z) =
/// sum_k q * (w - z) - zero * sum_k (w - z). For weights without groups.
int32_t input_offset(const quant::LinearData& data, int64_t row) {
  const int8_t* codes = data.values.as<int8_t>().data() + row * data.in;
  const int64_t zero = data.zero_points.empty() ? 0 : data.zero_points[static_cast<size_t>(row)];
  int64_t sum = -zero * data.in;
  for (int64_t k = 0; k < data.in; ++k)
    sum += codes[k];
  return static_cast<int32_t>(-data.input.zero_point * sum);
}

/// In bytes.
struct Sizes {
  size_t tiles = 0, scales = 0, zeros = 0, offsets = 0;

  int64_t total() const { return static_cast<int64_t>(tiles + scales + zeros + offsets); }
};

Sizes sizes_of(const quant::LinearScheme& scheme, int64_t out, int64_t in) {
  const int64_t group = kernel_group(scheme);
  const auto rows = static_cast<size_t>(kernels::padded_n(out));
  const size_t groups = rows * static_cast<size_t>(group == 0 ? 1 : in / group);
  return {.tiles = static_cast<size_t>(kernels::panels(out) *
                                       kernels::packed_s8_panel_bytes(in, scheme.weight.bits)),
          .scales = groups * sizeof(float),
          .zeros = scheme.weight.symmetric ? 0 : groups,
          .offsets = scheme.activation.is_static ? rows * sizeof(int32_t) : 0};
}

class IntegerWeights final : public PackedWeights {
 public:
  static int64_t bytes_of(const quant::LinearScheme& scheme, int64_t out, int64_t in) {
    return sizes_of(scheme, out, in).total();
  }

  template <kernels::S8Layout kLayout>
  static Result<std::unique_ptr<const PackedWeights>> restore(const quant::LinearScheme& scheme, int64_t out,
                                                              int64_t in, StoredArrays arrays) {
    const Sizes sizes = sizes_of(scheme, out, in);
    auto buffers = TRY(borrow_arrays(arrays, {sizes.tiles, sizes.scales, sizes.zeros, sizes.offsets}));
    auto weights = std::make_unique<IntegerWeights>();
    weights->set_facts(scheme, out, in, kLayout);
    weights->tiles_ = std::move(buffers[0]);
    weights->scales_ = std::move(buffers[1]);
    weights->zeros_ = std::move(buffers[2]);
    weights->offsets_ = std::move(buffers[3]);
    weights->view_arrays();
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  template <kernels::S8Layout kLayout>
  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    auto weights = std::make_unique<IntegerWeights>();
    weights->set_facts(data.scheme, data.out, data.in, kLayout);
    CHECK(data.zero_points.empty() == data.scheme.weight.symmetric, "{} with {} zero points",
          data.scheme.name(), data.zero_points.size());
    const Sizes sizes = sizes_of(data.scheme, data.out, data.in);
    TRY_STATUS(weights->pack_codes(data, sizes, pool));
    TRY_STATUS(weights->pack_groups(data, sizes));
    if (sizes.offsets != 0) TRY_STATUS(weights->pack_offsets(data, sizes, pool));
    weights->view_arrays();
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

  int64_t bytes() const override {
    return static_cast<int64_t>(tiles_.size() + scales_.size() + zeros_.size() + offsets_.size());
  }

  std::vector<std::span<const std::byte>> arrays() const override {
    return {tiles_.bytes(), scales_.bytes(), zeros_.bytes(), offsets_.bytes()};
  }

  void read_row(int64_t index, float* out) const override {
    const int64_t group_size = view_.group_size == 0 ? view_.k : view_.group_size;
    const int64_t first = index / kernels::kPanel * (view_.k / group_size) * kernels::kPanel;
    for (int64_t k = 0; k < view_.k; ++k) {
      const int64_t at = first + k / group_size * kernels::kPanel + index % kernels::kPanel;
      const int zero = view_.zeros == nullptr ? 0 : view_.zeros[at] - kernels::code_bias(view_.bits);
      const int code = kernels::packed_s8_code(view_.tiles, view_.k, view_.bits, view_.layout, index, k);
      out[k] = static_cast<float>(code - zero) * view_.scales[at];
    }
  }

  std::string_view kernel() const override {
    static const std::string tiles = fmt::format("gemm_s8/{}", kernels::gemm_s8_variant());
    static const std::string rows = fmt::format("gemm_s8_rows/{}", kernels::gemm_s8_variant());
    return view_.layout == kernels::S8Layout::kRows ? rows : tiles;
  }

 private:
  void set_facts(const quant::LinearScheme& scheme, int64_t out, int64_t in, kernels::S8Layout layout) {
    x_bits_ = scheme.activation.bits;
    view_ = {
        .n = out, .k = in, .bits = scheme.weight.bits, .group_size = kernel_group(scheme), .layout = layout};
  }

  void view_arrays() {
    view_.tiles = tiles_.as<uint8_t>();
    view_.scales = scales_.as<float>();
    view_.zeros = zeros_.empty() ? nullptr : zeros_.as<uint8_t>();
    view_.offsets = offsets_.empty() ? nullptr : offsets_.as<int32_t>();
  }

  Status pack_codes(const quant::LinearData& data, const Sizes& sizes, ThreadPool& pool) {
    const int64_t panel_bytes = kernels::packed_s8_panel_bytes(data.in, view_.bits);
    tiles_ = TRY(AlignedBuffer::allocate_lasting(sizes.tiles));
    const int8_t* codes = data.values.as<int8_t>().data();
    auto* tiles = tiles_.as<uint8_t>();
    for_panels(data.out, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      kernels::pack_s8_panel(codes + first * data.in, data.in, rows, data.in, view_.bits, view_.layout,
                             tiles + panel * panel_bytes);
    });
    return {};
  }

  /// Scales and zero points.
  Status pack_groups(const quant::LinearData& data, const Sizes& sizes) {
    const int64_t groups = view_.group_size == 0 ? 1 : view_.k / view_.group_size;
    const int64_t times = groups / data.groups();
    scales_ = TRY(AlignedBuffer::allocate_lasting(sizes.scales));
    kernels::pack_scales(finer(data.scales, times).data(), view_.n, groups, scales_.as<float>());
    if (data.zero_points.empty()) return {};
    zeros_ = TRY(AlignedBuffer::allocate_lasting(sizes.zeros));
    kernels::pack_zeros(finer(data.zero_points, times).data(), view_.n, groups, view_.bits,
                        zeros_.as<uint8_t>());
    return {};
  }

  Status pack_offsets(const quant::LinearData& data, const Sizes& sizes, ThreadPool& pool) {
    offsets_ = TRY(AlignedBuffer::allocate_lasting(sizes.offsets));
    for_panels(data.out, pool, [&](int64_t, int64_t first, int64_t rows) {
      for (int64_t row = first; row < first + rows; ++row)
        offsets_.as<int32_t>()[row] = input_offset(data, row);
    });
    return {};
  }

  AlignedBuffer tiles_, scales_, zeros_, offsets_;
  kernels::PackedS8 view_;  // of all of them
  int x_bits_ = 8;
};

// A zero point of the input makes codes 9 bits wide: 255 * 128 * k still fits; with zero points of 8-bit
// weights, 255 * 255 * k does for half of the columns.
constexpr int64_t kMaxStaticAsymmetricK = kernels::kMaxGemmS8K / 2;

std::string groups_refusal(const char* whose, int64_t group_size, int64_t in) {
  if (group_size == 0 || (group_size % kernels::kSumBlock == 0 && in % group_size == 0)) return "";
  return fmt::format("{} of {}, expected a multiple of {} that divides {} inputs", whose, group_size,
                     kernels::kSumBlock, in);
}

std::string refusal(const quant::LinearScheme& scheme, int64_t in, FloatKind) {
  const auto& weight = scheme.weight;
  const auto& activation = scheme.activation;
  if (scheme.is_float()) return "float weights";
  if (activation.bits == 16) return "activations are not quantized";
  if (weight.bits != 4 && weight.bits != 8)
    return fmt::format("{}-bit weights, expected 4 or 8", weight.bits);
  const bool wide = activation.is_static && !weight.symmetric && weight.bits == 8;
  const int64_t most = wide ? kMaxStaticAsymmetricK : kernels::kMaxGemmS8K;
  if (in > most) return fmt::format("{} inputs, expected at most {}", in, most);
  if (activation.is_static && (weight.group_size != 0 || activation.group_size != 0))
    return "static activations with groups, expected one scale per output";
  if (auto why = groups_refusal("groups", weight.group_size, in); !why.empty()) return why;
  if (auto why = groups_refusal("activations in groups", activation.group_size, in); !why.empty()) return why;
  const int64_t finer_one = kernel_group(scheme);
  if (weight.group_size != 0 && activation.group_size != 0 &&
      (weight.group_size % finer_one != 0 || activation.group_size % finer_one != 0)) {
    return fmt::format("groups of {} and activations in groups of {}, expected a multiple of the other",
                       weight.group_size, activation.group_size);
  }
  return "";
}

}  // namespace

const WeightKind kIntegerWeights{"gemm_s8",
                                 WeightLayout::kNz,
                                 refusal,
                                 IntegerWeights::bytes_of,
                                 IntegerWeights::pack<kernels::S8Layout::kTiles>,
                                 IntegerWeights::restore<kernels::S8Layout::kTiles>};
const WeightKind kIntegerRowWeights{"gemm_s8_rows",
                                    WeightLayout::kNd,
                                    refusal,
                                    IntegerWeights::bytes_of,
                                    IntegerWeights::pack<kernels::S8Layout::kRows>,
                                    IntegerWeights::restore<kernels::S8Layout::kRows>};

}  // namespace tessera::ops
