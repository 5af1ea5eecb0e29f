// Round to nearest (quant/rtn.h) of one weight matrix into the bytes of its tensors in a compressed-tensors
// checkpoint. The same input gives the same bytes with any number of threads.
#pragma once

#include <string_view>

#include "base/thread_pool.h"
#include "formats/compressed_tensors/writer.h"
#include "tensor/tensor.h"

namespace tessera::compress {

struct EncodedLinear {
  AlignedBuffer weight;  // rows of row_bytes()
  AlignedBuffer scales;  // [out, groups] of the weight's dtype
};

/// `weight` [out, in] in F32, F16 or BF16; scales are rounded to its dtype before they are used.
/// kInvalidArgument naming the first row with a NaN or an infinity.
Result<EncodedLinear> encode_rtn(const TensorView& weight, std::string_view name,
                                 const quant::WeightScheme& scheme,
                                 formats::compressed_tensors::Storage storage, ThreadPool& pool);

}  // namespace tessera::compress
