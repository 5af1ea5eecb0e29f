#include "compress/rtn.h"

#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::compressed_tensors::row_bytes;
using formats::compressed_tensors::Storage;
using formats::compressed_tensors::store_row;

/// Takes rows in any order, on any worker.
class Encoder {
 public:
  Encoder(size_t columns, size_t groups, int bits, DType scale_dtype, Storage storage)
      : code_bytes_(row_bytes(static_cast<int64_t>(columns), bits, storage)),
        scale_bytes_(groups * dtype_size(scale_dtype)),
        bits_(bits),
        scale_dtype_(scale_dtype),
        storage_(storage) {}

  Status allocate(size_t rows) {
    encoded_.weight = TRY(AlignedBuffer::allocate(rows * code_bytes_));
    encoded_.scales = TRY(AlignedBuffer::allocate(rows * scale_bytes_));
    return {};
  }
  void row(size_t row, std::span<const int8_t> codes, std::span<const float> scales) {
    store_row(codes, bits_, storage_, {encoded_.weight.data() + row * code_bytes_, code_bytes_});
    quant::narrow(scales, scale_dtype_, encoded_.scales.data() + row * scale_bytes_);
  }
  EncodedLinear take() { return std::move(encoded_); }

 private:
  size_t code_bytes_, scale_bytes_;
  int bits_;
  DType scale_dtype_;
  Storage storage_;
  EncodedLinear encoded_;
};

}  // namespace

Result<EncodedLinear> encode_rtn(const TensorView& weight, std::string_view name,
                                 const quant::WeightScheme& scheme, const quant::Rounding& rounding,
                                 Storage storage, ThreadPool& pool) {
  const auto rows = static_cast<size_t>(weight.shape[0]), columns = static_cast<size_t>(weight.shape[1]);
  const size_t groups = scheme.group_size == 0 ? 1 : columns / static_cast<size_t>(scheme.group_size);
  Encoder encoder(columns, groups, scheme.bits, rounding.scale_dtype, storage);
  TRY_STATUS(encoder.allocate(rows));
  TRY_STATUS(quant::encode_rows(weight, name, scheme, rounding, pool,
                                [&](size_t row, std::span<const int8_t> codes,
                                    std::span<const float> scales) { encoder.row(row, codes, scales); }));
  return encoder.take();
}

Result<EncodedLinear> encode_codes(const RoundedLinear& rounded, int64_t out, int bits, DType scale_dtype,
                                   Storage storage) {
  const auto rows = static_cast<size_t>(out);
  const size_t columns = rounded.codes.size() / rows, groups = rounded.scales.size() / rows;
  Encoder encoder(columns, groups, bits, scale_dtype, storage);
  TRY_STATUS(encoder.allocate(rows));
  for (size_t row = 0; row < rows; ++row)
    encoder.row(row, std::span(rounded.codes).subspan(row * columns, columns),
                std::span(rounded.scales).subspan(row * groups, groups));
  return encoder.take();
}

}  // namespace tessera::compress
