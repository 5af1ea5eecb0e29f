#include "compress/rtn.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::compressed_tensors::row_bytes;
using formats::compressed_tensors::Storage;
using formats::compressed_tensors::store_row;

constexpr size_t kRowsPerTask = 16;  // some 100 us of work, so that handing out tasks costs nothing

struct Geometry {
  size_t rows, columns, groups, weight_row, scale_row, source_row;  // the last three in bytes
};

Geometry geometry_of(const TensorView& weight, const quant::WeightScheme& scheme, Storage storage) {
  const auto columns = static_cast<size_t>(weight.shape[1]);
  const size_t groups = scheme.group_size == 0 ? 1 : columns / static_cast<size_t>(scheme.group_size);
  const size_t element = dtype_size(weight.dtype);
  return {static_cast<size_t>(weight.shape[0]),
          columns,
          groups,
          row_bytes(weight.shape[1], scheme.bits, storage),
          groups * element,
          columns * element};
}

void lower_to(std::atomic<size_t>& value, size_t candidate) {
  size_t current = value.load();
  while (candidate < current && !value.compare_exchange_weak(current, candidate)) {
  }
}

}  // namespace

Result<EncodedLinear> encode_rtn(const TensorView& weight, std::string_view name,
                                 const quant::WeightScheme& scheme, Storage storage, ThreadPool& pool) {
  const Geometry size = geometry_of(weight, scheme, storage);
  EncodedLinear encoded;
  encoded.weight = TRY(AlignedBuffer::allocate(size.rows * size.weight_row));
  encoded.scales = TRY(AlignedBuffer::allocate(size.rows * size.scale_row));
  std::atomic<size_t> first_bad{size.rows};

  pool.parallel_for((size.rows + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task) {
    std::vector<float> values(size.columns), scales(size.groups);
    std::vector<int8_t> codes(size.columns);
    const size_t end = std::min(size.rows, (task + 1) * kRowsPerTask);
    for (size_t row = task * kRowsPerTask; row < end; ++row) {
      quant::widen(weight.dtype, weight.data + row * size.source_row, values);
      if (!quant::encode_row(values, scheme.bits, scheme.group_size, weight.dtype, scales, codes)) {
        return lower_to(first_bad, row);
      }
      store_row(codes, scheme.bits, storage,
                {encoded.weight.data() + row * size.weight_row, size.weight_row});
      quant::narrow(scales, weight.dtype, encoded.scales.data() + row * size.scale_row);
    }
  });
  if (first_bad != size.rows) {
    return invalid_argument("{}: row {} has a NaN or an infinity, expected finite weights", name,
                            first_bad.load());
  }
  return encoded;
}

}  // namespace tessera::compress
