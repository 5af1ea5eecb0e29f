// Which groups we run, their LinearScheme, and the library's presets.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "formats/compressed_tensors/config.h"

namespace tessera::formats::compressed_tensors {
namespace {

struct PresetFacts {
  std::string_view name;
  int weight_bits, activation_bits;  // 16: not quantized
  int group_size;                    // 0: per channel
};

// compressed-tensors quantization/quant_scheme.py: PRESET_SCHEMES, the integer ones that we run.
constexpr std::array<PresetFacts, 6> kPresets = {{{"W8A8", 8, 8, 0},
                                                  {"INT8", 8, 8, 0},
                                                  {"W4A4", 4, 4, 128},
                                                  {"W4A8", 4, 8, 128},
                                                  {"W4A16", 4, 16, 128},
                                                  {"W8A16", 8, 16, 128}}};

void weight_problems(const QuantArgs& args, const std::string& where, std::vector<std::string>& problems) {
  const auto add = [&](std::string text) { problems.push_back(where + ".weights: " + std::move(text)); };
  if (args.type != "int" || (args.num_bits != 4 && args.num_bits != 8)) {
    add(fmt::format("{}-bit {}", args.num_bits, args.type));
  }
  if (!args.symmetric) add("asymmetric (zero points)");
  if (args.strategy != "channel" && args.strategy != "group")
    add(fmt::format("strategy \"{}\"", args.strategy));
  if (args.dynamic != "false") add("dynamic weights");
  if (args.actorder == "group") add("actorder \"group\" (weight_g_idx)");
}

void activation_problems(const QuantArgs& args, const std::string& where,
                         std::vector<std::string>& problems) {
  const auto add = [&](std::string text) {
    problems.push_back(where + ".input_activations: " + std::move(text));
  };
  if (args.type != "int" || (args.num_bits != 4 && args.num_bits != 8)) {
    add(fmt::format("{}-bit {}", args.num_bits, args.type));
  }
  if (!args.symmetric) add("asymmetric");
  if (args.dynamic != "true") {
    add("static scales");
  } else if (args.strategy != "token") {
    add(fmt::format("dynamic strategy \"{}\"", args.strategy));
  }
}

void group_problems(const Group& group, std::vector<std::string>& problems) {
  constexpr std::array<std::string_view, 3> kFormats = {"int-quantized", "pack-quantized", "dense"};
  // "dense" and a group without weights are float weights, whatever the rest says.
  if (group.output_activations) problems.push_back(group.name + ": quantized output_activations");
  if (std::ranges::find(kFormats, group.format) == kFormats.end()) {
    problems.push_back(fmt::format("{}: format \"{}\"", group.name, group.format));
  }
  if (group.weights) weight_problems(*group.weights, group.name, problems);
  if (group.input_activations) activation_problems(*group.input_activations, group.name, problems);
  if (group.input_activations && !group.weights)
    problems.push_back(group.name + ": quantized inputs of float weights");
}

}  // namespace

std::vector<std::string> unsupported_features(const QuantizationConfig& config) {
  std::vector<std::string> problems;
  if (config.has_kv_cache_scheme) problems.emplace_back("kv_cache_scheme");
  if (config.has_sparsity) problems.emplace_back("sparsity_config");
  if (config.has_transforms) problems.emplace_back("transform_config");
  for (const Group& group : config.groups)
    group_problems(group, problems);
  return problems;
}

quant::LinearScheme scheme_of(const Group& group) {
  CHECK(group.weights.has_value(), "{}", group.name);
  quant::LinearScheme scheme;
  scheme.weight.bits = group.weights->num_bits;
  scheme.weight.group_size = group.weights->strategy == "group" ? group.weights->group_size.value_or(0) : 0;
  if (group.input_activations) {
    // The format leaves the activation's divisor to the runtime: int8 as vLLM does, int4 with all 16 codes.
    scheme.activation.bits = group.input_activations->num_bits;
    scheme.activation.rule =
        scheme.activation.bits == 8 ? quant::ActivationRule::kAbsmax : quant::ActivationRule::kTwoSided;
  }
  return scheme;
}

std::optional<Group> preset(std::string_view name) {
  const auto* facts = std::ranges::find(kPresets, name, &PresetFacts::name);
  if (facts == kPresets.end()) return std::nullopt;
  Group group;
  group.weights =
      QuantArgs{.num_bits = facts->weight_bits, .strategy = facts->group_size == 0 ? "channel" : "group"};
  if (facts->group_size != 0) group.weights->group_size = facts->group_size;
  if (facts->activation_bits != 16) {
    group.input_activations =
        QuantArgs{.num_bits = facts->activation_bits, .strategy = "token", .dynamic = "true"};
  }
  return group;
}

}  // namespace tessera::formats::compressed_tensors
