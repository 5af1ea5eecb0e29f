// Codes of one weight matrix as the bytes of its tensors in a compressed-tensors checkpoint, and rounding to
// nearest (quant/rtn.h) straight into them. The same input gives the same bytes with any number of threads.
#pragma once

#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "formats/compressed_tensors/writer.h"
#include "quant/rtn.h"
#include "tensor/tensor.h"

namespace tessera::compress {

/// Codes of one linear, however they were found.
struct RoundedLinear {
  std::vector<int8_t> codes;  // [out, in]
  std::vector<float> scales;  // [out, groups]
};

struct EncodedLinear {
  AlignedBuffer weight;  // rows of row_bytes()
  AlignedBuffer scales;  // [out, groups] of the scales' dtype
};

/// `weight` [out, in] in F32, F16 or BF16. kInvalidArgument naming the first row with a NaN or an infinity.
Result<EncodedLinear> encode_rtn(const TensorView& weight, std::string_view name,
                                 const quant::WeightScheme& scheme, const quant::Rounding& rounding,
                                 formats::compressed_tensors::Storage storage, ThreadPool& pool);

/// `rounded` of `out` rows.
Result<EncodedLinear> encode_codes(const RoundedLinear& rounded, int64_t out, int bits, DType scale_dtype,
                                   formats::compressed_tensors::Storage storage);

}  // namespace tessera::compress
