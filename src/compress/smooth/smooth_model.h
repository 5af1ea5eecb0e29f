// `--smooth` and `--awq`: the float model with its channels scaled for what is to be quantized.
#pragma once

#include <memory>

#include "compress/quantize_plan.h"
#include "compress/smooth/scaled_source.h"
#include "formats/weight_format.h"
#include "models/model_config.h"

namespace tessera::compress {

/// `source`, of which `reader` reads, outlives the result. With options.rotate only channels between linears
/// are scaled: rotating folds the norms into the linears behind them, and what was moved from one to the
/// other comes back. kInvalidArgument for options that exclude each other.
Result<std::unique_ptr<ScaledSource>> smooth_model(const formats::TensorSource& source,
                                                   const formats::WeightReader& reader,
                                                   const models::ModelConfig& config,
                                                   const QuantizeOptions& options);

}  // namespace tessera::compress
