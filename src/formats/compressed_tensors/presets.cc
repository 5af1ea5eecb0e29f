// The library's presets (quantization/quant_scheme.py: PRESET_SCHEMES): {"W4A16": ["Linear"]} in a config.
#include <algorithm>
#include <array>
#include <cctype>

#include "formats/compressed_tensors/config.h"

namespace tessera::formats::compressed_tensors {
namespace {

struct FloatPreset {
  std::string_view name;
  int weight_bits, activation_bits;  // 16: not quantized
  std::string_view strategy, activation_strategy, dynamic;
  int group_size;  // of weights, and of activations where they have groups too
};

constexpr std::array<FloatPreset, 9> kFloatPresets = {
    {{"FP8", 8, 8, "tensor", "tensor", "false", 0},
     {"FP8_DYNAMIC", 8, 8, "channel", "token", "true", 0},
     {"FP8_BLOCK", 8, 8, "block", "group", "true", 128},
     {"NVFP4A16", 4, 16, "tensor_group", "", "", 16},
     {"NVFP4", 4, 4, "tensor_group", "tensor_group", "local", 16},
     {"MXFP4A16", 4, 16, "group", "", "", 32},
     {"MXFP4", 4, 4, "group", "group", "true", 32},
     {"MXFP8A16", 8, 16, "group", "", "", 32},
     {"MXFP8", 8, 8, "group", "group", "true", 32}}};

QuantArgs dynamic_token(int bits, std::string type = "int") {
  return {.num_bits = bits, .type = std::move(type), .strategy = "token", .dynamic = "true"};
}

QuantArgs grouped_weights(int bits, bool symmetric = true) {
  return {.num_bits = bits, .symmetric = symmetric, .strategy = "group", .group_size = 128};
}

Group float_preset(const FloatPreset& facts) {
  Group group;
  QuantArgs weights{.num_bits = facts.weight_bits, .type = "float", .strategy = std::string(facts.strategy)};
  if (facts.strategy == "block") {
    weights.block_rows = weights.block_columns = facts.group_size;
  } else if (facts.group_size != 0) {
    weights.group_size = facts.group_size;
  }
  group.weights = weights;
  if (facts.activation_bits == 16) return group;
  QuantArgs inputs{.num_bits = facts.activation_bits,
                   .type = "float",
                   .strategy = std::string(facts.activation_strategy),
                   .dynamic = std::string(facts.dynamic)};
  if (facts.activation_strategy.ends_with("group")) inputs.group_size = facts.group_size;
  group.input_activations = inputs;
  return group;
}

/// W{weight}A{activation}: groups of 128. 2 to 8 bits, not more than the activation's 4, 8 or 16.
std::optional<Group> integer_preset(std::string_view name) {
  if (name.size() < 4 || name[0] != 'W' || name[2] != 'A') return std::nullopt;
  const int weight = name[1] - '0';
  const std::string_view rest = name.substr(3);
  const int activation = rest == "4" ? 4 : rest == "8" ? 8 : rest == "16" ? 16 : 0;
  if (weight < 2 || weight > 8 || weight > activation) return std::nullopt;
  Group group;
  group.weights = grouped_weights(weight);
  if (activation != 16) group.input_activations = dynamic_token(activation);
  return group;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (int weight = 2; weight <= 8; ++weight) {
    for (const int activation : {4, 8, 16}) {
      if (weight <= activation) names.push_back(fmt::format("W{}A{}", weight, activation));
    }
  }
  for (const char* name : {"W4A16_ASYM", "W4AFP8"})
    names.emplace_back(name);
  for (const FloatPreset& facts : kFloatPresets)
    names.emplace_back(facts.name);
  return names;
}

std::optional<Group> preset(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  Group group;
  if (upper == "UNQUANTIZED") return group;
  if (upper == "W8A8" || upper == "INT8") {
    group.weights = QuantArgs{.num_bits = 8, .strategy = "channel"};
    group.input_activations = dynamic_token(8);
    return group;
  }
  if (upper == "W4A16_ASYM" || upper == "W4AFP8") {
    group.weights = grouped_weights(4, upper == "W4AFP8");
    if (upper == "W4AFP8") group.input_activations = dynamic_token(8, "float");
    return group;
  }
  const auto* facts = std::ranges::find(kFloatPresets, upper, &FloatPreset::name);
  if (facts != kFloatPresets.end()) return float_preset(*facts);
  return integer_preset(upper);
}

}  // namespace tessera::formats::compressed_tensors
