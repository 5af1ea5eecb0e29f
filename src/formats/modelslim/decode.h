// From the tensors of one quantized ModelSlim module to neutral LinearData: codes one per byte, float32
// scales, zero points, bias. Weights are never recomputed. Thread-safe.
#pragma once

#include <span>

#include "formats/modelslim/module.h"
#include "quant/linear_data.h"

namespace tessera::formats::modelslim {

/// The scheme of a quantized module. Reads weight_offset (one number per scale), since a type does not say
/// whether its weights are symmetric.
Result<quant::LinearScheme> linear_scheme(const TensorSource& source, const Module& module);

/// The module's data, once its misfits were found to be none. kDataCorrupt for scales that are not finite and
/// positive, offsets that are no codes, codes outside 4 bits; kResourceExhausted.
Result<quant::LinearData> decode(const TensorSource& source, const Module& module,
                                 const quant::LinearScheme& scheme, int64_t out, int64_t in);

/// What the module's input goes through: NAME.div.mul_scale, then left_trans and right_trans.
Result<quant::InputTransform> read_transform(const TensorSource& source, const Module& module, int64_t in);

/// One row of pairs [in] -> two rows of codes [in]: low nibbles are the even row, two's complement.
void split_rows(std::span<const int8_t> pairs, std::span<int8_t> even, std::span<int8_t> odd);
/// One row of pairs [in / 2] -> one row of codes [in]: low nibbles are the even columns.
void split_columns(std::span<const int8_t> pairs, std::span<int8_t> codes);

}  // namespace tessera::formats::modelslim
