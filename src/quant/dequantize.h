// LinearData of integer codes -> LinearData of float32 values: for schemes without an integer kernel.
#pragma once

#include "base/result.h"
#include "quant/linear_data.h"

namespace tessera::quant {

/// (code - zero) * scale of every weight; float weights come back unchanged. kResourceExhausted.
Result<LinearData> dequantize(LinearData data);

}  // namespace tessera::quant
