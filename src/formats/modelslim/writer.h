// How a linear is stored in a ModelSlim checkpoint of version 1: which tensors NAME gets, its type in the
// description, and the codes of its rows by ModelSlim's own rule. Rows are independent. Pure functions;
// thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors/safetensors_writer.h"
#include "quant/scheme.h"

namespace tessera::formats::modelslim {

inline constexpr std::string_view kDescriptionFile = "quant_model_description.json";
/// Of the weight files: quant_model_weights.safetensors.
inline constexpr std::string_view kWeightsStem = "quant_model_weights";

/// W8A8_DYNAMIC or W4A4_DYNAMIC; kUnsupported for schemes that we do not write.
Result<std::string> type_for(const quant::LinearScheme& scheme);

/// weight I8 [out, in], one code per byte; weight_scale F32 [out, 1]; weight_offset F32 [out, 1], all zero.
std::vector<TensorSpec> linear_specs(std::string_view name, int64_t out, int64_t in);

/// One row: scale = max(absmax / (2^(bits-1) - 1), 2^-23), codes = round half even(x / scale), in float32.
/// False, and unspecified outputs, if the row holds a NaN or an infinity.
[[nodiscard]] bool encode_row(std::span<const float> row, int bits, float& scale, std::span<int8_t> codes);

/// A type for each tensor, in any order; then the whole file.
class DescriptionWriter {
 public:
  void add(std::string tensor, std::string type);
  /// model_quant_type is the type that ModelSlim ranks highest; "FLOAT" when all are.
  nlohmann::json finish() const;

 private:
  std::vector<std::pair<std::string, std::string>> types_;
};

}  // namespace tessera::formats::modelslim
