// The WeightFormat of AutoAWQ directories, version "gemm": 4-bit codes with zero points, per group or
// channel. Runs weight-only; the layouts of other kernels (gemv, marlin, exllama ...) are refused by name.
#pragma once

#include "formats/gptq/description.h"
#include "formats/gptq/layout.h"
#include "formats/weight_format.h"

namespace tessera::formats::awq {

extern const WeightFormat kFormat;

/// kInvalidArgument naming key, value and expectation; kUnsupported listing everything that we do not run.
/// Which modules are left in float (modules_to_not_convert) is also in their tensors.
Result<gptq::Layout> parse_config(const gptq::Description& description);

}  // namespace tessera::formats::awq
