// LinearData: the weights of one Linear as a checkpoint gives them, in a neutral form: integer codes one per
// byte, float32 scales. It lives only between the reader and ops::Linear::pack (or the quantizer and the
// writer): one linear at a time, never a model.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/input_transform.h"
#include "quant/scheme.h"
#include "tensor/tensor.h"

namespace tessera::quant {

struct LinearData {
  LinearScheme scheme;
  int64_t out = 0;  // N
  int64_t in = 0;   // K

  Tensor values;  // integer: I8 [out, in], 4-bit codes are -8..7 in a byte each; float: F32, BF16 or F16
                  // [out, in]
  std::vector<float> scales;        // [out, groups(in)], as stored, widened; empty for float weights
  std::vector<int8_t> zero_points;  // [out, groups(in)]; empty when symmetric
  std::vector<float> bias;          // [out] or empty
  StaticScale input;                // of static activations
  InputTransform transform;         // of the input, before it is quantized; empty = none
  InputTransform output_transform;  // of the output, bias included; empty = none

  int64_t groups() const { return scheme.weight.group_size == 0 ? 1 : in / scheme.weight.group_size; }
};

}  // namespace tessera::quant
