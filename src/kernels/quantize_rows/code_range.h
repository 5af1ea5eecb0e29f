// From a scheme's words to the numbers that quantize_rows() needs.
#pragma once

#include "kernels/quantize_rows/quantize_rows.h"
#include "quant/scheme.h"

namespace tessera::kernels {

/// `scheme.bits` is 4 or 8.
CodeRange code_range(const quant::ActivationScheme& scheme);

}  // namespace tessera::kernels
