// How a linear is stored in a ModelSlim checkpoint of version 1: which tensors NAME gets, its type in the
// description, and the codes of its rows by ModelSlim's own rule. Pure functions; thread-safe.
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
/// The type whose weights lie two rows a byte. (The library's description never names it as the model's
/// type.)
inline constexpr std::string_view kPairedType = "W4A8_DYNAMIC";
/// Of the weight files: quant_model_weights.safetensors.
inline constexpr std::string_view kWeightsStem = "quant_model_weights";

/// W8A8_DYNAMIC, W4A8_DYNAMIC or W4A4_DYNAMIC; kUnsupported for schemes that we do not write.
Result<std::string_view> type_for(const quant::LinearScheme& scheme);

/// Whether a linear can be stored in this type: W4A8_DYNAMIC has two rows a byte, and parts of its rows for
/// the NPUs that share a layer. kUnsupported says what is in the way.
Status check_linear(std::string_view name, std::string_view type, int64_t out, int64_t in);

/// weight I8 [out, in], one code per byte; weight_scale F32 [out, 1]; weight_offset F32 [out, 1], all zero.
/// Of W4A8_DYNAMIC weight is [out / 2, in], two rows a byte, and there is scale_bias F32 [out, 1 or 16].
std::vector<TensorSpec> linear_specs(std::string_view name, std::string_view type, int64_t out, int64_t in);

/// One row: scale = max(absmax / (2^(bits-1) - 1), 2^-23), codes = round half even(x / scale), in float32.
/// False, and unspecified outputs, if the row holds a NaN or an infinity.
[[nodiscard]] bool encode_row(std::span<const float> row, int bits, float& scale, std::span<int8_t> codes);

/// Two rows of 4-bit codes -> one of pairs, the even row in the low nibbles.
void pack_rows(std::span<const int8_t> even, std::span<const int8_t> odd, std::span<int8_t> pairs);

/// A row of scale_bias: 8 times the sum of code * scale over each of `parts.size()` equal parts of the row.
/// It undoes what the NPU's kernel does, which multiplies codes + 8.
void sum_parts(std::span<const int8_t> codes, float scale, std::span<float> parts);

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
