// The WeightFormat of ModelSlim directories (AscendV1, and the file names of V0): every tensor has the type
// that quant_model_description.json gives it, so mixed precision is the normal case. Integer schemes of 4 and
// 8 bits; FP8, MXFP, sparse types, quantized attention and online rotations are refused by name.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats::modelslim {

extern const WeightFormat kFormat;

}  // namespace tessera::formats::modelslim
