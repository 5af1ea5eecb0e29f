// import_rope_scaling(): Llama 3's scaling travels in GGUF as finished per-frequency divisors
// (rope_freqs.weight), made by the formula of transformers' _compute_llama3_parameters. Its parameters are
// found again here and held to the divisors.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

#include "formats/gguf/import_config.h"

namespace tessera::formats::gguf {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-4;  // the divisors are float32 of a float32 formula

struct Llama3Scaling {
  double factor = 0, low = 0, high = 0, original_context = 0;
};

double frequency(double theta, int64_t head_dim, size_t index) {
  return std::pow(theta, -2.0 * static_cast<double>(index) / static_cast<double>(head_dim));
}

// By how much the scaling divides the frequency: 1 for short waves, factor for long ones, a blend between.
double divisor(const Llama3Scaling& scaling, double freq) {
  const double turns = scaling.original_context * freq / (2 * std::numbers::pi);
  const double blend = std::clamp((turns - scaling.low) / (scaling.high - scaling.low), 0.0, 1.0);
  return 1 / ((1 - blend) / scaling.factor + blend);
}

bool reproduces(const Llama3Scaling& scaling, std::span<const float> divisors, double theta,
                int64_t head_dim) {
  if (!(scaling.factor > 1 && scaling.high > scaling.low && scaling.original_context >= 1)) return false;
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double expected = divisor(scaling, frequency(theta, head_dim, i));
    if (!(std::abs(divisors[i] - expected) <= kTolerance * expected)) return false;
  }
  return true;
}

// The blend is linear in the frequency, so two blended divisors give its slope and its zero; low = 1 by
// convention, since only the ratios of low, high and the context matter.
std::optional<Llama3Scaling> fit(std::span<const float> divisors, double theta, int64_t head_dim) {
  const double factor = shortest_decimal(divisors.back());
  std::vector<std::pair<double, double>> points;  // turns per token, blend
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double blend = (1.0 / divisors[i] - 1 / factor) / (1 - 1 / factor);
    if (blend > 0.001 && blend < 0.999) {
      points.emplace_back(frequency(theta, head_dim, i) / (2 * std::numbers::pi), blend);
    }
  }
  if (points.size() < 2) return std::nullopt;
  const auto [x1, y1] = points.front();
  const auto [x2, y2] = points.back();
  const double slope = (y1 - y2) / (x1 - x2);
  const double width = -1 / (y1 - slope * x1);  // high - low
  return Llama3Scaling{factor, 1, std::round((1 + width) * 1000) / 1000, std::round(slope * width)};
}

Result<json> from_divisors(const GgufFile& file, const GgufTensor& tensor, double theta, int64_t head_dim) {
  if (tensor.shape.size() != 1 || tensor.cols() != head_dim / 2) {
    return data_corrupt("{}: {} has {} elements, expected {}", file.name(), tensor.name,
                        tensor.rows() * tensor.cols(), head_dim / 2);
  }
  std::vector<float> divisors(static_cast<size_t>(tensor.cols()));
  std::vector<std::byte> scratch;
  TRY_STATUS(file.read_rows(tensor, 0, 1, scratch, divisors));
  if (std::ranges::all_of(divisors, [](float d) { return d == 1.0F; })) return json(nullptr);
  // Every published Llama 3.x has the first; narrow heads may have too few blended frequencies for the fit.
  std::vector<Llama3Scaling> candidates{{shortest_decimal(divisors.back()), 1, 4, 8192}};
  if (const auto fitted = fit(divisors, theta, head_dim)) candidates.push_back(*fitted);
  for (const Llama3Scaling& scaling : candidates) {
    if (!reproduces(scaling, divisors, theta, head_dim)) continue;
    return json{{"rope_type", "llama3"},
                {"factor", scaling.factor},
                {"low_freq_factor", scaling.low},
                {"high_freq_factor", scaling.high},
                {"original_max_position_embeddings", static_cast<int64_t>(scaling.original_context)}};
  }
  return unsupported("{}: {}: no llama3 rope_scaling gives these factors", file.name(), tensor.name);
}

}  // namespace

Result<json> import_rope_scaling(const GgufFile& file, std::string_view architecture, double rope_theta,
                                 int64_t head_dim) {
  const std::string prefix = fmt::format("{}.rope.scaling.", architecture);
  const GgufTensor* divisors = file.find_tensor("rope_freqs.weight");
  const std::string type_key = prefix + "type";
  const std::string type = file.has(type_key) ? TRY(file.string(type_key)) : "none";
  if (divisors != nullptr) {
    if (type != "none")
      return unsupported("{}: {}type={} beside rope_freqs.weight", file.name(), prefix, type);
    return from_divisors(file, *divisors, rope_theta, head_dim);
  }
  if (type == "none") return json(nullptr);
  if (type != "linear" && type != "yarn") {
    return unsupported("{}: {}type=\"{:.100}\", expected none, linear or yarn", file.name(), prefix, type);
  }
  const double factor = TRY(file.number(prefix + "factor"));
  if (!(factor >= 1 && factor <= 1e6)) {
    return data_corrupt("{}: {}factor={}, expected 1 to 1000000", file.name(), prefix, factor);
  }
  json scaling = {{"rope_type", type}, {"factor", shortest_decimal(factor)}};
  if (file.has(prefix + "original_context_length")) {
    scaling["original_max_position_embeddings"] =
        TRY(file.integer(prefix + "original_context_length", 1, INT32_MAX));
  }
  return scaling;
}

}  // namespace tessera::formats::gguf
