#include "quant/dequantize.h"

#include <utility>

#include "quant/integer_codes.h"

namespace tessera::quant {

Result<LinearData> dequantize(LinearData data) {
  if (data.scheme.is_float()) return data;
  Tensor values = TRY(Tensor::allocate(DType::kF32, {data.out, data.in}));
  const auto in = static_cast<size_t>(data.in), groups = static_cast<size_t>(data.groups());
  const std::span<const int8_t> codes = data.values.as<int8_t>();
  const std::span<const float> scales = data.scales;
  const std::span<const int8_t> zeros = data.zero_points;
  for (size_t row = 0; row < static_cast<size_t>(data.out); ++row) {
    decode_row(codes.subspan(row * in, in), scales.subspan(row * groups, groups),
               zeros.empty() ? zeros : zeros.subspan(row * groups, groups), data.scheme.weight.group_size,
               values.as<float>().subspan(row * in, in));
  }
  data.values = std::move(values);
  data.scales.clear();
  data.zero_points.clear();
  data.scheme.weight = {.bits = 32, .group_size = 0, .symmetric = true};
  return data;
}

}  // namespace tessera::quant
