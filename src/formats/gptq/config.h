// The description of a GPTQ checkpoint (quantize_config.json of AutoGPTQ and GPTQModel, quantization_config
// of transformers) as a Layout. Only what changes the meaning of the tensors is read; how they were made
// (damp_percent, mse, meta ...) is not.
#pragma once

#include "base/result.h"
#include "formats/gptq/description.h"
#include "formats/gptq/layout.h"

namespace tessera::formats::gptq {

/// kInvalidArgument naming key, value and expectation; kUnsupported listing everything that we do not run:
/// formats other than "gptq" and "gptq_v2", widths other than 2, 3, 4 and 8, adapters, rotations, quantized
/// activations. What `dynamic` says of single modules is also in their tensors, which have the last word.
Result<Layout> parse_config(const Description& description);

}  // namespace tessera::formats::gptq
