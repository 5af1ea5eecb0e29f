#include "formats/modelslim/decode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "formats/float_weights.h"
#include "quant/integer_codes.h"

namespace tessera::formats::modelslim {
namespace {

using quant::LinearData;
using quant::LinearScheme;

int8_t low_nibble(int8_t pair) {
  return static_cast<int8_t>(static_cast<int8_t>(static_cast<uint8_t>(pair) << 4) >> 4);
}
int8_t high_nibble(int8_t pair) {
  return static_cast<int8_t>(pair >> 4);
}

Result<std::vector<float>> read_scales(const TensorSource& source, const TensorInfo& info) {
  auto scales = TRY(read_floats(source, info));
  const auto bad = std::ranges::find_if(scales, [](float scale) { return !(scale > 0); });
  if (bad == scales.end()) return scales;
  return data_corrupt("{}: element {} is {}, expected a number > 0", info.name, bad - scales.begin(), *bad);
}

/// Offsets are codes in float32 (weight = (code - offset) * scale); empty when absent.
Result<std::vector<int8_t>> read_offsets(const TensorSource& source, const TensorInfo* info, int bits) {
  // Of another dtype they are check()'s to report.
  if (info == nullptr || !is_weight_float(info->dtype)) return std::vector<int8_t>();
  const auto values = TRY(read_floats(source, *info));
  std::vector<int8_t> codes(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto low = static_cast<float>(quant::code_min(bits)),
               high = static_cast<float>(quant::code_max(bits));
    if (values[i] < low || values[i] > high || values[i] != std::floor(values[i])) {
      return data_corrupt("{}: element {} is {}, expected a whole number from {} to {}", info->name, i,
                          values[i], low, high);
    }
    codes[i] = static_cast<int8_t>(values[i]);
  }
  return codes;
}

bool all_zero(std::span<const int8_t> codes) {
  return std::ranges::all_of(codes, [](int8_t code) { return code == 0; });
}

/// [out, groups]: one level of scales, or the product of the channels' and the groups', in float32.
Result<std::vector<float>> weight_scales(const TensorSource& source, const Module& module) {
  auto scales = TRY(read_scales(source, *module.scale));
  if (module.second_scale == nullptr) return scales;
  auto groups = TRY(read_scales(source, *module.second_scale));
  const size_t per_row = groups.size() / scales.size();
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] *= scales[i / per_row];
    if (groups[i] > 0 && std::isfinite(groups[i])) continue;
    return data_corrupt("{}: element {} times its channel's scale is {}, expected a number > 0",
                        module.second_scale->name, i, groups[i]);
  }
  return groups;
}

Result<Tensor> read_codes(const TensorSource& source, const Module& module, int64_t out, int64_t in) {
  Tensor stored = TRY(source.read(module.weight->name));
  const Packing packing = packing_of(module, out, in);
  if (packing == Packing::kBytes) return stored;
  Tensor codes = TRY(Tensor::allocate(DType::kI8, Shape{out, in}));
  const auto columns = static_cast<size_t>(in), rows = static_cast<size_t>(out);
  const std::span<const int8_t> pairs(reinterpret_cast<const int8_t*>(stored.data()), stored.bytes());
  const std::span<int8_t> all = codes.as<int8_t>();
  if (packing == Packing::kPairsOfRows) {
    for (size_t row = 0; row < rows; row += 2)
      split_rows(pairs.subspan(row / 2 * columns, columns), all.subspan(row * columns, columns),
                 all.subspan((row + 1) * columns, columns));
    return codes;
  }
  for (size_t row = 0; row < rows; ++row)
    split_columns(pairs.subspan(row * columns / 2, columns / 2), all.subspan(row * columns, columns));
  return codes;
}

Status check_codes(const Module& module, const Tensor& values, int bits) {
  if (bits == 8) return {};
  const int low = quant::code_min(bits), high = quant::code_max(bits);
  const auto codes = values.as<int8_t>();
  const auto bad = std::ranges::find_if(codes, [&](int8_t code) { return code < low || code > high; });
  if (bad == codes.end()) return {};
  return data_corrupt("{}: element {} is {}, expected {} to {} in {}", module.weight->name,
                      bad - codes.begin(), *bad, low, high, module.type);
}

/// W8A8_MIX has both: static for decoding, dynamic for prompts. A row here must not depend on which of them
/// it came by, so it is always dynamic, the more exact one.
bool is_static(const Module& module) {
  return module.facts->static_input && !module.facts->has_weight_scale;
}

/// What the operator takes: a factor of the scale. (The library's own simulation puts it through a sigmoid
/// once more.)
Result<float> read_clip_ratio(const TensorSource& source, const Module& module) {
  if (module.clip_ratio == nullptr) return 1.0F;
  const bool one_number = module.clip_ratio->shape == Shape{1} || module.clip_ratio->shape == Shape{};
  if (!one_number || !is_weight_float(module.clip_ratio->dtype)) return 1.0F;  // check() tells
  const float ratio = TRY(read_floats(source, *module.clip_ratio)).front();
  if (ratio > 0 && ratio <= 1) return ratio;
  return data_corrupt("{}: {}, expected a number above 0 and up to 1", module.clip_ratio->name, ratio);
}

/// deq_scale = input_scale * weight_scale, F32 or its bits widened to I64.
Result<std::vector<float>> read_deq_scale(const TensorSource& source, const TensorInfo& info) {
  if (info.dtype != DType::kI64) return read_scales(source, info);
  const Tensor stored = TRY(source.read(info.name));
  const auto words = stored.as<int64_t>();
  std::vector<float> scales(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    const auto bits = static_cast<uint32_t>(words[i]);
    scales[i] = std::bit_cast<float>(bits);
    if ((words[i] >> 32) != 0 || !std::isfinite(scales[i]) || scales[i] <= 0) {
      return data_corrupt("{}: element {} is {}, expected the bits of a float32 > 0", info.name, i, words[i]);
    }
  }
  return scales;
}

Result<quant::StaticScale> read_static_scale(const TensorSource& source, const Module& module) {
  quant::StaticScale input;
  input.scale = TRY(read_scales(source, *module.input_scale)).front();
  if (module.input_offset->dtype == DType::kI8) {
    input.zero_point = TRY(source.read(module.input_offset->name)).as<int8_t>().front();
  } else {
    input.zero_point = TRY(read_offsets(source, module.input_offset, 8)).front();
  }
  return input;
}

/// Scales, bias and input of W8A8. The operator computes (q W + quant_bias) * deq_scale, where quant_bias =
/// round(bias / deq_scale) - input_offset * (sum of the row's codes). The bias is in there: the file's own
/// `bias` is not added again.
Status read_static(const TensorSource& source, const Module& module, LinearData& data) {
  data.input = TRY(read_static_scale(source, module));
  data.scales = TRY(read_deq_scale(source, *module.deq_scale));
  const Tensor stored = TRY(source.read(module.quant_bias->name));
  const auto quant_bias = stored.as<int32_t>();
  const auto codes = std::as_const(data.values).as<int8_t>();
  const auto columns = static_cast<size_t>(data.in);
  bool any = false;
  data.bias.resize(data.scales.size());
  for (size_t row = 0; row < data.scales.size(); ++row) {
    int64_t sum = 0;
    for (const int8_t code : codes.subspan(row * columns, columns))
      sum += code;
    const int64_t bias = quant_bias[row] + sum * data.input.zero_point;
    data.bias[row] = static_cast<float>(bias) * data.scales[row];
    any |= bias != 0;
    data.scales[row] /= data.input.scale;
    if (!(data.scales[row] > 0) || !std::isfinite(data.scales[row])) {
      return data_corrupt("{}: element {} over input_scale={} is {}, expected a number > 0",
                          module.deq_scale->name, row, data.input.scale, data.scales[row]);
    }
  }
  if (!any) data.bias.clear();
  return {};
}

}  // namespace

Result<quant::InputTransform> read_transform(const TensorSource& source, const Module& module, int64_t in) {
  quant::InputTransform steps;
  if (module.mul_scale != nullptr)
    steps.emplace_back(quant::ColumnFactors{TRY(read_floats(source, *module.mul_scale))});
  if (module.facts != nullptr && module.facts->kronecker) {
    const int64_t rows = module.left->shape[0];
    steps.emplace_back(quant::KroneckerPair{.rows = rows,
                                            .columns = in / rows,
                                            .left = TRY(read_floats(source, *module.left)),
                                            .right = TRY(read_floats(source, *module.right))});
  }
  return steps;
}

void split_rows(std::span<const int8_t> pairs, std::span<int8_t> even, std::span<int8_t> odd) {
  for (size_t k = 0; k < pairs.size(); ++k) {
    even[k] = low_nibble(pairs[k]);
    odd[k] = high_nibble(pairs[k]);
  }
}

void split_columns(std::span<const int8_t> pairs, std::span<int8_t> codes) {
  for (size_t k = 0; k < pairs.size(); ++k) {
    codes[2 * k] = low_nibble(pairs[k]);
    codes[2 * k + 1] = high_nibble(pairs[k]);
  }
}

Result<LinearScheme> linear_scheme(const TensorSource& source, const Module& module) {
  LinearScheme scheme;
  scheme.weight.bits = module.facts->weight_bits;
  scheme.activation.bits = module.facts->activation_bits;
  scheme.activation.rule = quant::ActivationRule::kAbsmax;
  const int64_t columns = module.weight->shape.rank() == 2 ? module.weight->shape[1] : 0;
  scheme.weight.group_size = std::max(0, group_size_of(module, columns));
  scheme.activation.is_static = is_static(module);
  scheme.activation.clip_ratio = TRY(read_clip_ratio(source, module));
  scheme.transformed = module.facts->kronecker || module.mul_scale != nullptr;
  const auto offsets = TRY(read_offsets(source, module.offset, scheme.weight.bits));
  scheme.weight.symmetric = scheme.activation.is_static || all_zero(offsets);  // that operator has no offsets
  const auto second = TRY(read_offsets(source, module.second_offset, scheme.weight.bits));
  if (module.second_scale != nullptr && !(scheme.weight.symmetric && all_zero(second))) {
    return unsupported("{}: offsets at two levels of scales, expected zeros", module.base);
  }
  return scheme;
}

Result<LinearData> decode(const TensorSource& source, const Module& module, const LinearScheme& scheme,
                          int64_t out, int64_t in) {
  LinearData data;
  data.scheme = scheme;
  data.scheme.weight.group_size = group_size_of(module, in);
  data.out = out;
  data.in = in;
  data.values = TRY(read_codes(source, module, out, in));
  TRY_STATUS(check_codes(module, data.values, scheme.weight.bits));
  if (scheme.activation.is_static) {
    TRY_STATUS(read_static(source, module, data));
    return data;
  }
  data.scales = TRY(weight_scales(source, module));
  if (!scheme.weight.symmetric)
    data.zero_points = TRY(read_offsets(source, module.offset, scheme.weight.bits));
  data.bias = TRY(read_bias(source, module.base));
  return data;
}

}  // namespace tessera::formats::modelslim
