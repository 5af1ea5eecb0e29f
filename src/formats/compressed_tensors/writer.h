// How a quantized linear is laid out in a compressed-tensors checkpoint: which tensors NAME gets, and the
// bytes of its rows. Rows are independent, so that a caller may encode them on many threads. Thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors/safetensors_writer.h"
#include "quant/scheme.h"

namespace tessera::formats::compressed_tensors {

enum class Storage {
  kInteger,  // "int-quantized": weight I8, one code per byte
  kPacked,   // "pack-quantized": weight_packed I32, a dense bit stream per row, and weight_shape
};

/// "int-quantized" or "pack-quantized".
std::string_view storage_format(Storage storage);

/// The tensors of one linear, in the order weight, weight_scale [, weight_shape]. Scales are [out, groups] of
/// scale_dtype.
std::vector<TensorSpec> linear_specs(std::string_view name, int64_t out, int64_t in,
                                     const quant::WeightScheme& scheme, DType scale_dtype, Storage storage);

/// Bytes of one row of the weight tensor.
size_t row_bytes(int64_t in, int bits, Storage storage);

/// One row of codes [in] as stored; `out` holds row_bytes() bytes, 4-byte aligned when packed.
void store_row(std::span<const int8_t> codes, int bits, Storage storage, std::span<std::byte> out);

}  // namespace tessera::formats::compressed_tensors
