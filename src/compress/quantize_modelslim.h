// A quantization plan written as a ModelSlim checkpoint of version 1, by ModelSlim's rule of rounding.
#pragma once

#include "compress/quantize.h"

namespace tessera::compress {

/// Writes weights and quant_model_description.json into options.output, one tensor at a time. kUnsupported,
/// before anything is written, naming the schemes of the plan that the format's writer does not have.
Result<QuantizeSummary> write_modelslim(const formats::TensorSource& source, const QuantizePlan& plan,
                                        const QuantizeOptions& options);

}  // namespace tessera::compress
