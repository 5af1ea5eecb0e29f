#include "quant/rtn.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "quant/integer_codes.h"

namespace tessera::quant {
namespace {

constexpr size_t kRowsPerTask = 16;  // some 100 us of work, so that handing out tasks costs nothing

void lower_to(std::atomic<size_t>& value, size_t candidate) {
  size_t current = value.load();
  while (candidate < current && !value.compare_exchange_weak(current, candidate)) {
  }
}

}  // namespace

Status encode_rows(const TensorView& weight, std::string_view name, const WeightScheme& scheme,
                   const Rounding& rounding, ThreadPool& pool, const RowSink& sink) {
  const auto rows = static_cast<size_t>(weight.shape[0]), columns = static_cast<size_t>(weight.shape[1]);
  const size_t groups = scheme.group_size == 0 ? 1 : columns / static_cast<size_t>(scheme.group_size);
  const size_t row_bytes = columns * dtype_size(weight.dtype);
  std::atomic<size_t> first_bad{rows};
  pool.parallel_for((rows + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task) {
    std::vector<float> values(columns), scales(groups);
    std::vector<int8_t> codes(columns);
    const size_t end = std::min(rows, (task + 1) * kRowsPerTask);
    for (size_t row = task * kRowsPerTask; row < end; ++row) {
      widen(weight.dtype, weight.data + row * row_bytes, values);
      if (!encode_row(values, scheme.bits, scheme.group_size, rounding.scale_dtype, scales, codes,
                      rounding.clip)) {
        return lower_to(first_bad, row);
      }
      sink(row, codes, scales);
    }
  });
  if (first_bad == rows) return {};
  return invalid_argument("{}: row {} has a NaN or an infinity, expected finite weights", name,
                          first_bad.load());
}

Result<LinearData> quantize_rtn(LinearData data, std::string_view name, const LinearScheme& scheme,
                                const Rounding& rounding, ThreadPool& pool) {
  data.scheme = scheme;
  Tensor codes = TRY(Tensor::allocate(DType::kI8, Shape{data.out, data.in}));
  const auto columns = static_cast<size_t>(data.in), groups = static_cast<size_t>(data.groups());
  data.scales.resize(static_cast<size_t>(data.out) * groups);
  int8_t* const to = codes.as<int8_t>().data();
  TRY_STATUS(encode_rows(data.values.view(), name, scheme.weight, rounding, pool,
                         [&](size_t row, std::span<const int8_t> row_codes, std::span<const float> scales) {
                           std::ranges::copy(row_codes, to + row * columns);
                           std::ranges::copy(scales,
                                             data.scales.begin() + static_cast<ptrdiff_t>(row * groups));
                         }));
  data.values = std::move(codes);
  return data;
}

}  // namespace tessera::quant
