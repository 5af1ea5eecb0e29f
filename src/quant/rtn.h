// Round to nearest (integer_codes.h) of a whole matrix, on all workers. The same input gives the same codes
// with any number of threads. One caller at a time per pool.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/thread_pool.h"
#include "quant/integer_codes.h"
#include "quant/linear_data.h"
#include "tensor/tensor.h"

namespace tessera::quant {

/// Takes row `row` of the result: codes [in] and scales [groups]. Called once per row, on any worker, in any
/// order; the spans are valid during the call.
using RowSink = std::function<void(size_t row, std::span<const int8_t> codes, std::span<const float> scales)>;

struct Rounding {
  DType scale_dtype = DType::kF32;  // scales are rounded to it before they are used
  Clip clip = Clip::kNone;
};

/// Encodes `weight` [out, in] in F32, F16 or BF16 row by row. kInvalidArgument naming `name` and the first
/// row with a NaN or an infinity.
Status encode_rows(const TensorView& weight, std::string_view name, const WeightScheme& scheme,
                   const Rounding& rounding, ThreadPool& pool, const RowSink& sink);

/// Float `data` as integer codes of `scheme`; the bias is kept. Frees the float values.
Result<LinearData> quantize_rtn(LinearData data, std::string_view name, const LinearScheme& scheme,
                                const Rounding& rounding, ThreadPool& pool);

}  // namespace tessera::quant
