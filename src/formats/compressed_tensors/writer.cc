#include "formats/compressed_tensors/writer.h"

#include <cstring>

#include "base/check.h"
#include "quant/bit_packing.h"

namespace tessera::formats::compressed_tensors {

std::string_view storage_format(Storage storage) {
  return storage == Storage::kPacked ? "pack-quantized" : "int-quantized";
}

std::vector<TensorSpec> linear_specs(std::string_view name, int64_t out, int64_t in,
                                     const quant::WeightScheme& scheme, DType scale_dtype, Storage storage) {
  const int64_t groups = scheme.group_size == 0 ? 1 : in / scheme.group_size;
  const TensorSpec scale{fmt::format("{}.weight_scale", name), scale_dtype, Shape{out, groups}};
  if (storage == Storage::kInteger)
    return {{fmt::format("{}.weight", name), DType::kI8, Shape{out, in}}, scale};
  const auto words = static_cast<int64_t>(quant::packed_words(static_cast<size_t>(in), scheme.bits));
  return {{fmt::format("{}.weight_packed", name), DType::kI32, Shape{out, words}},
          scale,
          {fmt::format("{}.weight_shape", name), DType::kI64, Shape{2}}};
}

size_t row_bytes(int64_t in, int bits, Storage storage) {
  const auto columns = static_cast<size_t>(in);
  return storage == Storage::kPacked ? 4 * quant::packed_words(columns, bits) : columns;
}

void store_row(std::span<const int8_t> codes, int bits, Storage storage, std::span<std::byte> out) {
  CHECK(out.size() == row_bytes(static_cast<int64_t>(codes.size()), bits, storage), "{} bytes for {} codes",
        out.size(), codes.size());
  if (storage == Storage::kPacked) {
    quant::pack_row(codes, bits, {reinterpret_cast<uint32_t*>(out.data()), out.size() / 4});
  } else {
    std::memcpy(out.data(), codes.data(), codes.size());
  }
}

}  // namespace tessera::formats::compressed_tensors
