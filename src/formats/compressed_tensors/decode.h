// The numbers of one quantized module -> LinearData, after its dtypes and shapes were found to fit. Whatever
// a file may lie about in its data is checked here. Thread-safe.
#pragma once

#include "base/result.h"
#include "formats/compressed_tensors/module.h"
#include "formats/tensor_source.h"
#include "quant/linear_data.h"

namespace tessera::formats::compressed_tensors {

/// What every decoder needs.
struct Stock {
  const TensorSource& source;
  const Module& module;
  WeightCoding coding;  // in_numbers()
  int64_t out = 0, in = 0;
};

/// Fills values, scales, zero points and, for columns in another order (weight_g_idx), the transform.
/// `data.scheme` is the module's. Codes of any width come out in bytes, unchanged.
Status decode_integers(const Stock& stock, quant::LinearData& data);

/// FP8 and FP4 weights times their scales as F32 [out, in]: the product, and for NVFP4 the quotient of the
/// scales before it, each rounded to float32 once. All of them are exact but those with float32 scales.
Result<Tensor> decode_floats(const Stock& stock);

/// input_scale and input_zero_point of static activations with codes of `bits` bits.
Result<quant::StaticScale> read_static_input(const TensorSource& source, const Module& module, int bits);

}  // namespace tessera::formats::compressed_tensors
