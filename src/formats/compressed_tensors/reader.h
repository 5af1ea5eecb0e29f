// The WeightFormat of compressed-tensors directories: int-, pack- and naive-quantized integers of 1 to 8
// bits, symmetric or with zero points, per tensor, channel, group or block, columns in another order
// (weight_g_idx); inputs int8 or int4, dynamic per token or group or static per tensor, or not quantized;
// FP8, NVFP4, MXFP4 and MXFP8 weights, which become bf16 with inputs that are not quantized; dense; mixtures
// of them; online transforms (transforms.h); scales of an int8 KV cache. The tensors have the last word: a
// module is quantized if its tensors say so, whatever targets and ignore list say.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats::compressed_tensors {

extern const WeightFormat kFormat;

/// The reader for that config ("quantization_config" or "compression_config" inside config.json).
Result<std::unique_ptr<WeightReader>> open_reader(const nlohmann::json& config, const std::string& directory,
                                                  const TensorSource& source);

}  // namespace tessera::formats::compressed_tensors
