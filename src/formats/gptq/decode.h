// The words of one quantized module -> LinearData, after its dtypes and shapes were found to fit.
// Thread-safe.
#pragma once

#include "base/result.h"
#include "formats/gptq/module.h"
#include "quant/linear_data.h"

namespace tessera::formats::gptq {

/// The scheme of a quantized module: weight-only. Reads qzeros and g_idx, since only their numbers say
/// whether weights are symmetric and in order. Codes of 2 and 3 bits are kept in 4.
Result<quant::LinearScheme> linear_scheme(const TensorSource& source, const Module& module,
                                          const Layout& layout);

/// kDataCorrupt for scales that are not finite and positive and for a g_idx without equal groups;
/// kResourceExhausted. The bias is the caller's.
Result<quant::LinearData> decode(const TensorSource& source, const Module& module, const Layout& layout);

/// One row of words that hold outputs -> codes [outputs], q - 2^(bits-1).
void unpack_outputs(const Layout& layout, int bits, std::span<const uint32_t> words, std::span<int8_t> codes);

}  // namespace tessera::formats::gptq
