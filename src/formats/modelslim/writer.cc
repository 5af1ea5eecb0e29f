#include "formats/modelslim/writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "quant/integer_codes.h"

namespace tessera::formats::modelslim {

namespace {

struct WrittenType {
  std::string_view name;
  int weight_bits, activation_bits;
};
constexpr std::array<WrittenType, 3> kWritten = {
    {{kPairedType, 4, 8}, {"W8A8_DYNAMIC", 8, 8}, {"W4A4_DYNAMIC", 4, 4}}};

/// Columns of scale_bias, by the name of the linear as the library has it: layers are split over up to 16
/// NPUs along the outputs of some linears and along the inputs of others. 0: it knows no such linear.
int64_t sums_per_row(std::string_view name) {
  const std::string_view leaf = name.substr(name.rfind('.') + 1);
  for (const std::string_view by_outputs : {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}) {
    if (leaf == by_outputs) return 1;
  }
  return leaf == "o_proj" || leaf == "down_proj" ? 16 : 0;
}

}  // namespace

Result<std::string_view> type_for(const quant::LinearScheme& scheme) {
  const bool plain = scheme.weight.group_size == 0 && scheme.weight.symmetric && !scheme.activation.is_static;
  const auto* type = std::ranges::find_if(kWritten, [&](const WrittenType& written) {
    return written.weight_bits == scheme.weight.bits && written.activation_bits == scheme.activation.bits;
  });
  if (plain && type != kWritten.end()) return type->name;
  return unsupported("scheme {}: not written as ModelSlim, expected w8a8, w4a8 or w4a4 per channel",
                     scheme.name());
}

Status check_linear(std::string_view name, std::string_view type, int64_t out, int64_t in) {
  if (type != kPairedType) return {};
  const int64_t sums = sums_per_row(name);
  if (sums == 0)
    return unsupported("{}: the format has no {} of it, expected q/k/v/o_proj or gate/up/down_proj", name,
                       type);
  if (out % 2 == 0 && in % sums == 0) return {};
  return unsupported("{}: [{}, {}] as {}, expected an even number of outputs and inputs in {} equal parts",
                     name, out, in, type, sums);
}

std::vector<TensorSpec> linear_specs(std::string_view name, std::string_view type, int64_t out, int64_t in) {
  const bool paired = type == kPairedType;
  std::vector<TensorSpec> specs = {{fmt::format("{}.weight", name), DType::kI8, {paired ? out / 2 : out, in}},
                                   {fmt::format("{}.weight_scale", name), DType::kF32, {out, 1}},
                                   {fmt::format("{}.weight_offset", name), DType::kF32, {out, 1}}};
  if (paired) specs.push_back({fmt::format("{}.scale_bias", name), DType::kF32, {out, sums_per_row(name)}});
  return specs;
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

void pack_rows(std::span<const int8_t> even, std::span<const int8_t> odd, std::span<int8_t> pairs) {
  for (size_t k = 0; k < pairs.size(); ++k)
    pairs[k] = static_cast<int8_t>((even[k] & 15) | static_cast<uint8_t>(odd[k]) << 4);
}

void sum_parts(std::span<const int8_t> codes, float scale, std::span<float> parts) {
  const size_t width = codes.size() / parts.size();
  for (size_t part = 0; part < parts.size(); ++part) {
    int64_t sum = 0;
    for (const int8_t code : codes.subspan(part * width, width))
      sum += code;
    parts[part] = static_cast<float>(8 * sum) * scale;
  }
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
