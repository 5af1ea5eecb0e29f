// The WeightFormat of ModelSlim directories (AscendV1, and the file names of V0): every tensor has the type
// that quant_model_description.json gives it, so mixed precision is the normal case. Integer schemes of 4 and
// 8 bits; FP8, MXFP, sparse types, quantized attention and online rotations are refused by name.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats::modelslim {

extern const WeightFormat kFormat;

/// The reader for the text of a description, whose file's name opens every message. `source` outlives it.
Result<std::unique_ptr<WeightReader>> make_reader(std::string_view description, const std::string& file,
                                                  const TensorSource& source);

}  // namespace tessera::formats::modelslim
