// What --quantization asks for, applied to a checkpoint: it insists on a format or a scheme, and a scheme
// that the checkpoint's linears do not have yet, because they are float, is made by rounding each of them to
// nearest while it is loaded: one at a time, with the codes that `tessera quantize --scheme` writes.
// Weight-only linears (GPTQ, AWQ) with the scheme's weights keep their codes and get int8 inputs, where the
// scheme has those.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "formats/weight_format.h"
#include "quant/recipe.h"

namespace tessera::models {

/// `wanted`: empty or a format's name ("none", "compressed-tensors"), which gives `reader` back, or
/// w8a8_int8, w4a8_int8, w4a4_int4, w4a16_int4. `linears`: all of the model. The result
/// may be read by several threads. kInvalidArgument naming what the checkpoint is instead.
Result<std::unique_ptr<formats::WeightReader>> apply_quantization(
    std::string_view wanted, std::unique_ptr<formats::WeightReader> reader,
    std::span<const quant::PartLinear> linears);

}  // namespace tessera::models
