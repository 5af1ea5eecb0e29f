// Experts that a checkpoint stacks in one tensor, offered one by one under the names of linears, as the other
// checkpoints have them: what transformers 5 keeps in memory and may save.
//
//   ...experts.gate_up_proj [E, 2I, H]  ->  ...experts.0.gate_proj.weight [I, H], ...experts.0.up_proj.weight
//   ...
//   ...experts.down_proj    [E, H, I]   ->  ...experts.0.down_proj.weight [H, I], ...
//
// Also [E, H, 2I] with [E, I, H], of floats, and quantized ones: gate_up_proj.weight_packed, .weight_scale
// and so on, each with an expert in its first dimension and gate before up in the second. A read takes the
// expert's bytes from the file and no others; turned weights are turned expert by expert.
#pragma once

#include <memory>

#include "base/result.h"
#include "formats/tensor_source.h"

namespace tessera::formats {

/// `source` itself when nothing in it is stacked. kDataCorrupt for shapes that contradict each other or an
/// expert that is there twice; kUnsupported for zero points of gate and up within one word.
Result<std::unique_ptr<TensorSource>> unstack_experts(std::unique_ptr<TensorSource> source);

}  // namespace tessera::formats
