#include "compress/quantize_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compress/auto/units.h"
#include "formats/compressed_tensors/targets.h"
#include "formats/float_weights.h"
#include "ops/linear.h"

namespace tessera::compress {
namespace {

using formats::ModuleKind;
using formats::TensorInfo;
using formats::compressed_tensors::NamePattern;
using formats::compressed_tensors::QuantizationConfig;
using formats::compressed_tensors::TargetMatcher;
using quant::RecipePart;

// The version of the library whose format and key names are written.
constexpr std::string_view kFormatVersion = "0.18.0";
constexpr std::string_view kWeightSuffix = ".weight";
constexpr std::string_view kHead = "lm_head", kHeadTensor = "lm_head.weight";
constexpr std::string_view kEmbeddingTensor = "model.embed_tokens.weight";

std::string_view leaf_of(std::string_view module) {
  return module.substr(module.rfind('.') + 1);
}

/// Module name of a 2-D "X.weight", empty for other tensors.
std::string_view matrix_module(const TensorInfo& info) {
  const std::string_view name = info.name;
  if (!name.ends_with(kWeightSuffix) || info.shape.rank() != 2) return {};
  return name.substr(0, name.size() - kWeightSuffix.size());
}

bool matches_any(const std::vector<NamePattern>& patterns, std::string_view module) {
  return std::ranges::any_of(patterns, [&](const NamePattern& pattern) { return pattern.matches(module); });
}

Status check_is_float(const TensorInfo& info) {
  if (formats::is_weight_float(info.dtype)) return {};
  return unsupported("{} is {}, expected F32, F16 or BF16 to quantize", info.name, dtype_name(info.dtype));
}

Result<std::vector<NamePattern>> compile_ignore(const std::vector<std::string>& regexes) {
  std::vector<NamePattern> patterns;
  for (const std::string& regex : regexes)
    patterns.push_back(TRY(NamePattern::compile(regex).context("--ignore")));
  return patterns;
}

/// Engines fuse q/k/v and gate/up into one matrix of one scheme.
Status check_fused_linears(const std::set<std::string>& quantized, const std::vector<std::string>& left_out) {
  static const std::map<std::string_view, std::vector<std::string_view>> kPartners = {
      {"q_proj", {"k_proj", "v_proj"}},
      {"k_proj", {"q_proj", "v_proj"}},
      {"v_proj", {"q_proj", "k_proj"}},
      {"gate_proj", {"up_proj"}},
      {"up_proj", {"gate_proj"}}};
  for (const std::string& name : left_out) {
    const auto partners = kPartners.find(leaf_of(name));
    if (partners == kPartners.end()) continue;
    const std::string parent = name.substr(0, name.rfind('.') + 1);
    for (const std::string_view partner : partners->second) {
      if (!quantized.contains(parent + std::string(partner))) continue;
      return invalid_argument(
          "--ignore matches {} but not {}{}; expected q/k/v and gate/up kept together, since engines fuse "
          "them",
          name, parent, partner);
    }
  }
  return {};
}

/// Sorts the source's tensors into linears of `recipe` and copies, and fills config.ignore.
Status sort_tensors(const formats::TensorSource& source, const quant::Recipe& recipe,
                    const std::optional<Mixture>& mixture, const std::vector<NamePattern>& ignore,
                    QuantizePlan& plan) {
  std::set<std::string> quantized;
  std::vector<std::string> left_out;  // by --ignore
  for (const TensorInfo& info : source.tensors()) {
    const std::string module(matrix_module(info));
    auto part = recipe.part_of(module);
    if (part && mixture) part = mixture->promoted.contains(unit_of(module)) ? 1 : 0;
    if (part && !matches_any(ignore, module)) {
      TRY_STATUS(check_is_float(info));
      plan.linears.push_back({module, &info, *part, info.shape[0], info.shape[1]});
      quantized.insert(module);
      continue;
    }
    plan.copies.push_back(&info);
    // The library names every unquantized Linear, routers included; lm_head elsewhere, since a tied one has
    // no tensor.
    if (module.empty() || module == kHead || leaf_of(module).starts_with("embed")) continue;
    plan.config.ignore.push_back(module);
    if (part) left_out.push_back(module);
  }
  return check_fused_linears(quantized, left_out);
}

/// The output head becomes linear and part after all others.
Status add_head(const formats::TensorSource& source, bool tied, const std::vector<NamePattern>& ignore,
                size_t part, QuantizePlan& plan) {
  if (matches_any(ignore, kHead)) {
    return invalid_argument("--ignore matches lm_head, expected --lm-head=none with it");
  }
  const std::string_view tensor = tied ? kEmbeddingTensor : kHeadTensor;
  const TensorInfo* info = source.find(tensor);
  if (info == nullptr || info->shape.rank() != 2) {
    return invalid_argument("--lm-head: {} is {}, expected a matrix to quantize", tensor,
                            info == nullptr ? "not in the checkpoint" : info->shape.to_string());
  }
  TRY_STATUS(check_is_float(*info));
  plan.linears.push_back({std::string(kHead), info, part, info->shape[0], info->shape[1]});
  // Its tensors take that name, also from a copy of the embedding that some exports carry.
  std::erase_if(plan.copies, [](const TensorInfo* copy) { return copy->name == kHeadTensor; });
  plan.untie = tied;
  return {};
}

Status add_part(const RecipePart& part, GroupSizeOption group_size, std::vector<std::string> targets,
                const QuantizeOptions& options, QuantizePlan& plan) {
  const size_t index = plan.parts.size();
  std::vector<quant::PartLinear> members;
  for (const QuantizedLinear& linear : plan.linears) {
    if (linear.part == index) members.push_back({linear.name, linear.in});
  }
  const auto chosen = quant::choose_group_size(part, group_size, members);
  if (!chosen) {
    return invalid_argument("{}; expected another --group-size, \"channel\", or --ignore",
                            chosen.error().message());
  }
  const Storage storage = options.storage.value_or(default_storage(part));
  if (storage == Storage::kInteger && part.activation_bits == 16) {
    return invalid_argument(
        "--storage=int with --scheme={}: int-quantized needs quantized inputs, expected pack",
        options.scheme);
  }
  plan.parts.push_back({{.bits = part.weight_bits, .group_size = *chosen}, storage, {}});
  auto& group =
      plan.config.groups.emplace_back(config_group(part, *chosen, storage, index, std::move(targets)));
  const bool grouped = options.activation_group != 0 && part.activation_bits == 4;
  if (grouped) {
    group.input_activations->strategy = "group";
    group.input_activations->group_size = options.activation_group;
  }
  if (part.activation_bits == 4) group.input_activations->clip_ratio = options.activation_clip;
  quant::ActivationScheme& activation = plan.parts.back().activation;
  activation = formats::compressed_tensors::scheme_of(group).activation;
  if (options.format == "modelslim") activation.rule = quant::ActivationRule::kAbsmax;
  if (!grouped) return {};
  for (const quant::PartLinear& member : members) {
    TRY_STATUS(ops::Linear::check(formats::compressed_tensors::scheme_of(group), member.in)
                   .context(fmt::format("--activation-group={}: {}", options.activation_group, member.name)));
  }
  return {};
}

Status add_parts(const quant::Recipe& recipe, const QuantizeOptions& options, QuantizePlan& plan) {
  const bool only_part = recipe.parts.size() == 1;
  for (const RecipePart& part : recipe.parts) {
    // W8A8 is per channel everywhere; in a mixture the option speaks of the 4-bit part. What is written as
    // ModelSlim has no groups: there they are refused when somebody asks for them.
    const bool per_channel_only = part.weight_bits == 8 && part.activation_bits == 8;
    const bool without_groups = per_channel_only || (options.format == "modelslim" && !options.group_size);
    if (per_channel_only && only_part && options.group_size.value_or(0) != 0) {
      return invalid_argument("--group-size={} with --scheme={}, expected channel", *options.group_size,
                              options.scheme);
    }
    const GroupSizeOption group_size = without_groups ? GroupSizeOption(0) : options.group_size;
    auto targets = only_part ? std::vector<std::string>{"Linear"} : leaf_targets(part);
    TRY_STATUS(add_part(part, group_size, std::move(targets), options, plan));
  }
  return {};
}

/// The two parts of a mixture, by the units that they have.
Status add_mixture(const quant::Recipe& recipe, const QuantizeOptions& options, QuantizePlan& plan) {
  for (size_t part = 0; part < recipe.parts.size(); ++part) {
    std::set<std::string> units;
    for (const QuantizedLinear& linear : plan.linears) {
      if (linear.part == part) units.insert(unit_of(linear.name));
    }
    const int group_size = part == 0 ? options.mixture->low_group_size : options.mixture->high_group_size;
    TRY_STATUS(add_part(recipe.parts[part], group_size, unit_targets(units), options, plan));
  }
  return {};
}

void finish_config(QuantizationConfig& config) {
  config.version = kFormatVersion;
  config.format = config.groups.front().format;
  for (const auto& group : config.groups) {
    if (group.format != config.format) config.format = "mixed-precision";
  }
}

/// What a reader will make of names must be what the plan did.
Status check_targets(const QuantizePlan& plan) {
  const TargetMatcher matcher = TRY(TargetMatcher::create(plan.config));
  for (const QuantizedLinear& linear : plan.linears) {
    if (matcher.group_of(linear.name, ModuleKind::kLinear) != linear.part) {
      return internal_error("{}: quantization_config's targets do not give it group_{}", linear.name,
                            linear.part);
    }
  }
  for (const TensorInfo* copy : plan.copies) {
    const std::string module(matrix_module(*copy));
    if (module.empty() || leaf_of(module).starts_with("embed")) continue;
    if (matcher.group_of(module, ModuleKind::kLinear)) {
      return internal_error("{}: copied, but quantization_config's targets match it", module);
    }
  }
  return {};
}

/// Both speak of activations of 4 bits.
Status check_activation_options(const quant::Recipe& recipe, const QuantizeOptions& options) {
  if (std::ranges::any_of(recipe.parts, [](const RecipePart& part) { return part.activation_bits == 4; }))
    return {};
  if (options.activation_group != 0) {
    return invalid_argument(
        "--activation-group={} with --scheme={}, expected a scheme with 4-bit activations",
        options.activation_group, options.scheme);
  }
  if (options.activation_clip != 1) {
    return invalid_argument("--activation-clip={} with --scheme={}, expected a scheme with 4-bit activations",
                            options.activation_clip, options.scheme);
  }
  return {};
}

}  // namespace

Result<QuantizePlan> plan_quantization(const formats::TensorSource& source, bool tied_embeddings,
                                       const QuantizeOptions& options) {
  const quant::Recipe recipe =
      TRY(options.mixture ? mixture_recipe(*options.mixture) : parse_scheme(options.scheme));
  const auto head = TRY(parse_lm_head(options.lm_head));
  const auto ignore = TRY(compile_ignore(options.ignore));
  TRY_STATUS(check_activation_options(recipe, options));
  QuantizePlan plan;
  TRY_STATUS(sort_tensors(source, recipe, options.mixture, ignore, plan));
  if (plan.linears.empty()) {
    return invalid_argument(
        "{}: no linear is left to quantize, expected 2-D float weights named "
        "*layers.*.{{q,k,v,o,gate,up,down}}_proj.weight",
        options.model_path);
  }
  if (head) TRY_STATUS(add_head(source, tied_embeddings, ignore, recipe.parts.size(), plan));
  TRY_STATUS(options.mixture ? add_mixture(recipe, options, plan) : add_parts(recipe, options, plan));
  // Its name as target beats the class Linear in every reader.
  if (head) TRY_STATUS(add_part(*head, 0, {std::string(kHead)}, options, plan));
  if (!head) plan.config.ignore.emplace_back(kHead);
  if (options.int8_cache)
    plan.config.kv_cache_scheme = {.num_bits = 8, .strategy = "token", .dynamic = "true"};
  std::ranges::sort(plan.config.ignore);
  finish_config(plan.config);
  TRY_STATUS(check_targets(plan));
  return plan;
}

std::vector<LinearToRound> linears_of_layers(const QuantizePlan& plan) {
  std::vector<LinearToRound> linears;
  for (const QuantizedLinear& linear : plan.linears) {
    if (linear.name == kHead) continue;
    const PlannedPart& part = plan.parts[linear.part];
    linears.push_back({linear.name, {.weight = part.weight, .activation = part.activation}});
  }
  return linears;
}

}  // namespace tessera::compress
