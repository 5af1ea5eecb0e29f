// Format "none": plain float weights, NAME.weight [out, in] in F32, F16 or BF16 and an optional NAME.bias
// [out]. The functions serve every format, since each has modules that it left in float. Thread-safe.
#pragma once

#include "formats/weight_format.h"

namespace tessera::formats {

extern const WeightFormat kFloatWeights;

/// Is `dtype` one that weights, scales and biases may have: F32, F16, BF16?
bool is_weight_float(DType dtype);

/// Scheme of float weights of this dtype: 32 bits for F32, 16 for BF16 and F16.
quant::LinearScheme float_scheme(DType dtype);

/// Misfits of NAME.weight as a float [out, in] matrix and of NAME.bias; empty when it can be read.
std::vector<std::string> float_linear_misfits(const TensorSource& source, std::string_view name, int64_t out,
                                              int64_t in);
/// Misfits of NAME.bias: appended to `misfits`. An absent bias fits.
void append_bias_misfits(const TensorSource& source, std::string_view name, int64_t out,
                         std::vector<std::string>& misfits);

/// After the misfits were found to be none.
Result<quant::LinearData> read_float_linear(const TensorSource& source, std::string_view name, int64_t out,
                                            int64_t in);

/// NAME.bias widened, empty when absent.
Result<std::vector<float>> read_bias(const TensorSource& source, std::string_view name);

/// A float tensor widened to F32, as one vector; an element that is not finite is kDataCorrupt.
Result<std::vector<float>> read_floats(const TensorSource& source, const TensorInfo& info);

/// One error of all misfits, "; " between them; ok when there is none.
Status misfits_to_status(std::string_view name, const std::vector<std::string>& misfits);

}  // namespace tessera::formats
