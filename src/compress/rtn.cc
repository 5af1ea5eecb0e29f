#include "compress/rtn.h"

#include "quant/integer_codes.h"
#include "quant/rtn.h"

namespace tessera::compress {

using formats::compressed_tensors::row_bytes;
using formats::compressed_tensors::store_row;

Result<EncodedLinear> encode_rtn(const TensorView& weight, std::string_view name,
                                 const quant::WeightScheme& scheme,
                                 formats::compressed_tensors::Storage storage, ThreadPool& pool) {
  const int64_t columns = weight.shape[1];
  const auto rows = static_cast<size_t>(weight.shape[0]);
  const auto groups = static_cast<size_t>(scheme.group_size == 0 ? 1 : columns / scheme.group_size);
  const size_t code_bytes = row_bytes(columns, scheme.bits, storage);
  const size_t scale_bytes = groups * dtype_size(weight.dtype);
  EncodedLinear encoded;
  encoded.weight = TRY(AlignedBuffer::allocate(rows * code_bytes));
  encoded.scales = TRY(AlignedBuffer::allocate(rows * scale_bytes));
  TRY_STATUS(quant::encode_rows(
      weight, name, scheme, pool,
      [&](size_t row, std::span<const int8_t> codes, std::span<const float> scales) {
        store_row(codes, scheme.bits, storage, {encoded.weight.data() + row * code_bytes, code_bytes});
        quant::narrow(scales, weight.dtype, encoded.scales.data() + row * scale_bytes);
      }));
  return encoded;
}

}  // namespace tessera::compress
