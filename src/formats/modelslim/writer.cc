#include "formats/modelslim/writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "quant/integer_codes.h"

namespace tessera::formats::modelslim {

Result<std::string> type_for(const quant::LinearScheme& scheme) {
  const bool plain = scheme.weight.group_size == 0 && scheme.weight.symmetric && !scheme.activation.is_static;
  if (plain && scheme.weight.bits == scheme.activation.bits && !scheme.is_float()) {
    return scheme.weight.bits == 8 ? "W8A8_DYNAMIC" : "W4A4_DYNAMIC";
  }
  return unsupported("scheme {}: not written as ModelSlim, expected w8a8 or w4a4 per channel", scheme.name());
}

std::vector<TensorSpec> linear_specs(std::string_view name, int64_t out, int64_t in) {
  return {{fmt::format("{}.weight", name), DType::kI8, {out, in}},
          {fmt::format("{}.weight_scale", name), DType::kF32, {out, 1}},
          {fmt::format("{}.weight_offset", name), DType::kF32, {out, 1}}};
}

bool encode_row(std::span<const float> row, int bits, float& scale, std::span<int8_t> codes) {
  CHECK(codes.size() == row.size(), "{} codes of {} weights", codes.size(), row.size());
  float absmax = 0;
  bool finite = true;
  for (const float value : row) {
    finite = finite && std::isfinite(value);
    absmax = std::max(absmax, std::fabs(value));
  }
  if (!finite) return false;
  scale = std::max(absmax / static_cast<float>(quant::code_max(bits)), quant::zero_scale(DType::kF32));
  for (size_t k = 0; k < row.size(); ++k)
    codes[k] =
        static_cast<int8_t>(std::nearbyint(row[k] / scale));  // within the range by the choice of scale
  return true;
}

void DescriptionWriter::add(std::string tensor, std::string type) {
  types_.emplace_back(std::move(tensor), std::move(type));
}

nlohmann::json DescriptionWriter::finish() const {
  constexpr std::array<std::string_view, 3> kRanked = {"FLOAT", "W8A8_DYNAMIC", "W4A4_DYNAMIC"};
  nlohmann::json description = nlohmann::json::object();
  size_t highest = 0;
  for (const auto& [tensor, type] : types_) {
    description[tensor] = type;
    const auto rank = static_cast<size_t>(std::ranges::find(kRanked, type) - kRanked.begin());
    if (rank < kRanked.size()) highest = std::max(highest, rank);
  }
  description["model_quant_type"] = kRanked[highest];
  description["version"] = "1.0.0";
  description["group_size"] = 0;
  description["metadata"] = nlohmann::json::object();
  description["optional"] = nlohmann::json::object();
  return description;
}

}  // namespace tessera::formats::modelslim
