// The WeightFormat of GPTQ directories, versions 1 and 2 of the format: codes of 2, 3, 4 and 8 bits,
// symmetric or with zero points, per group or channel, columns of a group side by side or not (act-order).
// Runs weight-only.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats::gptq {

extern const WeightFormat kFormat;

}  // namespace tessera::formats::gptq
