// The WeightFormat of compressed-tensors directories: int-quantized, pack-quantized (4 and 8 bits), dense and
// mixtures of them, symmetric, per channel or per group, inputs dynamic per token (int8, int4) or not
// quantized. The tensors have the last word: a module is quantized if its tensors say so, whatever targets
// and ignore list say.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats::compressed_tensors {

extern const WeightFormat kFormat;

/// The reader for that config ("quantization_config" or "compression_config" inside config.json).
Result<std::unique_ptr<WeightReader>> open_reader(const nlohmann::json& config, const std::string& directory,
                                                  const TensorSource& source);

}  // namespace tessera::formats::compressed_tensors
