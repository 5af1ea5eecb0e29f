// Which groups we run, their LinearScheme, and the library's presets.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/check.h"
#include "formats/compressed_tensors/cache_scales.h"
#include "formats/compressed_tensors/config.h"

namespace tessera::formats::compressed_tensors {
namespace {

bool is_float(const QuantArgs& args) {
  return args.type == "float";
}

void weight_problems(const QuantArgs& args, const std::string& where, std::vector<std::string>& problems) {
  const auto add = [&](std::string text) { problems.push_back(where + ".weights: " + std::move(text)); };
  const bool known_bits = is_float(args) ? args.num_bits == 8 || args.num_bits == 4 : args.num_bits <= 8;
  if (!known_bits) add(fmt::format("{}-bit {}", args.num_bits, args.type));
  if (is_float(args) && !args.symmetric) add("asymmetric floats");
  if (args.strategy == "token" || args.strategy == "attn_head")
    add(fmt::format("strategy \"{}\"", args.strategy));
  if (args.dynamic != "false") add("dynamic weights");
}

/// Of integer activations: float ones are not quantized at all.
void activation_problems(const QuantArgs& args, const std::string& where,
                         std::vector<std::string>& problems) {
  const auto add = [&](std::string text) {
    problems.push_back(where + ".input_activations: " + std::move(text));
  };
  if (args.num_bits != 4 && args.num_bits != 8) add(fmt::format("{}-bit {}", args.num_bits, args.type));
  if (args.dynamic == "false") {
    if (args.strategy != "tensor") add(fmt::format("static strategy \"{}\"", args.strategy));
    return;
  }
  if (!args.symmetric) add("asymmetric dynamic");
  if (args.strategy != "token" && args.strategy != "group")
    add(fmt::format("dynamic strategy \"{}\"", args.strategy));
}

constexpr std::array<std::string_view, 9> kFormats = {
    "int-quantized",        "pack-quantized",       "naive-quantized", "float-quantized", "dense",
    "nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp8-quantized", "mixed-precision"};

void group_problems(const Group& group, std::vector<std::string>& problems) {
  // "dense" and a group without weights are float weights, whatever the rest says.
  if (group.output_activations) problems.push_back(group.name + ": quantized output_activations");
  if (std::ranges::find(kFormats, group.format) == kFormats.end()) {
    problems.push_back(fmt::format("{}: format \"{}\"", group.name, group.format));
  }
  if (group.weights) weight_problems(*group.weights, group.name, problems);
  if (!group.input_activations || is_float(*group.input_activations)) return;
  activation_problems(*group.input_activations, group.name, problems);
  if (!group.weights || is_float(*group.weights))
    problems.push_back(group.name + ": inputs quantized to integers of float weights");
}

quant::ActivationScheme activation_of(const QuantArgs& args) {
  quant::ActivationScheme scheme;
  if (is_float(args)) return scheme;
  scheme.bits = args.num_bits;
  scheme.is_static = args.dynamic == "false";
  if (scheme.is_static) return scheme;
  // The format leaves the activation's divisor to the runtime: int8 as vLLM does, int4 with all 16 codes.
  scheme.rule = scheme.bits == 8 ? quant::ActivationRule::kAbsmax : quant::ActivationRule::kTwoSided;
  scheme.clip_ratio = args.clip_ratio;
  if (args.strategy == "group") scheme.group_size = args.group_size.value_or(0);
  return scheme;
}

}  // namespace

std::span<const std::string_view> storage_formats() {
  return kFormats;
}

std::vector<std::string> unsupported_features(const QuantizationConfig& config) {
  std::vector<std::string> problems;
  if (config.kv_cache_scheme && !is_float(*config.kv_cache_scheme)) {
    if (auto problem = cache_problem(*config.kv_cache_scheme); !problem.empty())
      problems.push_back(std::move(problem));
  }
  if (config.has_sparsity) problems.emplace_back("sparsity_config");
  for (const TransformGroup& group : config.transforms) {
    // The library's factories know it; llmcompressor refuses to make it.
    const bool online =
        std::ranges::any_of(group.uses, [](const TransformUse& use) { return is_online(use.location); });
    if (group.permuted && online)
      problems.push_back(fmt::format("transform_config.{}: \"randomize\"", group.name));
  }
  for (const Group& group : config.groups)
    group_problems(group, problems);
  return problems;
}

std::vector<std::string> remarks(const QuantizationConfig& config) {
  std::vector<std::string> remarks;
  if (config.kv_cache_scheme && is_float(*config.kv_cache_scheme)) {
    remarks.push_back(fmt::format("kv_cache_scheme ({}-bit float) is not applied: the KV cache stays bf16",
                                  config.kv_cache_scheme->num_bits));
  }
  for (const Group& group : config.groups) {
    if (!group.weights || group.format == "dense") continue;
    const auto& inputs = group.input_activations;
    const char* unquantized = inputs && is_float(*inputs) ? ", its inputs are not quantized" : "";
    if (is_float(*group.weights)) {
      remarks.push_back(fmt::format("{}: {}-bit float weights are dequantized and run as bf16{}", group.name,
                                    group.weights->num_bits, unquantized));
    } else if (*unquantized != '\0') {
      remarks.push_back(
          fmt::format("{}: {}-bit float inputs are not quantized, the weights stay {}-bit integers",
                      group.name, inputs->num_bits, group.weights->num_bits));
    }
  }
  return remarks;
}

WeightCoding coding_of(const Group& group) {
  CHECK(group.weights.has_value(), "{}", group.name);
  const QuantArgs& args = *group.weights;
  WeightCoding coding{.bits = args.num_bits, .symmetric = args.symmetric};
  if (args.strategy == "tensor") coding.block_rows = 0;
  if (args.strategy == "group" || args.strategy == "tensor_group")
    coding.block_columns = args.group_size.value_or(0);
  if (args.strategy == "block") {
    coding.block_rows = args.block_rows;
    coding.block_columns = args.block_columns;
  }
  return coding;
}

quant::LinearScheme scheme_of(const Group& group) {
  CHECK(group.weights.has_value(), "{}", group.name);
  quant::LinearScheme scheme;
  if (is_float(*group.weights)) return scheme;
  const WeightCoding coding = coding_of(group);
  scheme.weight.bits = coding.bits <= 4 ? 4 : 8;
  scheme.weight.group_size = coding.block_columns;
  scheme.weight.symmetric = coding.symmetric;
  if (group.input_activations) scheme.activation = activation_of(*group.input_activations);
  return scheme;
}

}  // namespace tessera::formats::compressed_tensors
