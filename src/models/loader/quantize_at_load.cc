#include "models/loader/quantize_at_load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quant/rtn.h"

namespace tessera::models {
namespace {

using formats::ModuleKind;
using formats::WeightReader;
using quant::LinearScheme;
using quant::PartLinear;

struct NamedScheme {
  std::string_view option, recipe;
};

constexpr std::array<NamedScheme, 4> kSchemes = {
    {{"w8a8_int8", "w8a8"}, {"w4a8_int8", "w4a8"}, {"w4a4_int4", "w4a4"}, {"w4a16_int4", "w4a16"}}};

// The first misfits tell the story.
constexpr size_t kShownMisfits = 5;

/// A float checkpoint whose linears come out quantized, or a weight-only one whose inputs do.
class QuantizingReader final : public WeightReader {
 public:
  /// schemes[i] is that of recipe.parts[i]; no schemes: the codes stay as they are, and get the recipe's
  /// activations.
  QuantizingReader(std::unique_ptr<WeightReader> source, quant::Recipe recipe,
                   std::vector<LinearScheme> schemes)
      : source_(std::move(source)), recipe_(std::move(recipe)), schemes_(std::move(schemes)) {}

  std::string_view format_name() const override { return source_->format_name(); }

  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind) const override {
    const LinearScheme stored = TRY(source_->scheme(name, kind));
    const auto part = kind == ModuleKind::kLinear ? recipe_.part_of(name) : std::nullopt;
    return part ? quantized(stored, *part) : stored;
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind kind) const override {
    return source_->tensor_names(name, kind);
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    return source_->check(name, out, in);
  }

  std::vector<std::string> attention_tensor_names(std::string_view name) const override {
    return source_->attention_tensor_names(name);
  }
  Status check_attention(std::string_view name, const formats::AttentionHeads& heads) const override {
    return source_->check_attention(name, heads);
  }
  Result<quant::AttentionData> read_attention(std::string_view name,
                                              const formats::AttentionHeads& heads) const override {
    return source_->read_attention(name, heads);
  }

  Result<quant::LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    quant::LinearData data = TRY(source_->read(name, out, in));
    const auto part = recipe_.part_of(name);
    if (!part) return data;
    const LinearScheme scheme = quantized(data.scheme, *part);
    if (schemes_.empty()) {
      data.scheme = scheme;
      return data;
    }
    ThreadPool alone(1);  // the loader reads several linears at a time
    const quant::Rounding rounding{.scale_dtype = data.values.dtype()};
    return quant::quantize_rtn(std::move(data), fmt::format("{}.weight", name), scheme, rounding, alone);
  }

 private:
  LinearScheme quantized(const LinearScheme& stored, size_t part) const {
    if (schemes_.empty()) {
      LinearScheme scheme = stored;  // linears that the checkpoint left in float stay so
      if (!stored.is_float() && stored.activation.bits == 16)
        scheme.activation = recipe_.parts[part].scheme(0).activation;
      return scheme;
    }
    LinearScheme scheme = schemes_[part];
    scheme.transformed = stored.transformed;
    return scheme;
  }

  std::unique_ptr<WeightReader> source_;
  quant::Recipe recipe_;
  std::vector<LinearScheme> schemes_;
};

/// The linears that the recipe is about, by part; what is wrong with others is not asked.
std::vector<std::vector<PartLinear>> by_part(const quant::Recipe& recipe,
                                             std::span<const PartLinear> linears) {
  std::vector<std::vector<PartLinear>> members(recipe.parts.size());
  for (const PartLinear& linear : linears) {
    if (const auto part = recipe.part_of(linear.name)) members[*part].push_back(linear);
  }
  return members;
}

/// Of linears that the checkpoint has quantized: their number, those with weights of the recipe but inputs
/// left in float, and those of other bits. Groups are the checkpoint's choice, and so is what it leaves in
/// float.
struct Survey {
  size_t quantized = 0, weight_only = 0, misfits = 0;
  std::vector<std::string> shown;
};

Survey survey(const WeightReader& reader, const quant::Recipe& recipe,
              const std::vector<std::vector<PartLinear>>& members) {
  Survey result;
  for (size_t part = 0; part < members.size(); ++part) {
    const LinearScheme expected = recipe.parts[part].scheme(0);
    for (const PartLinear& linear : members[part]) {
      const auto scheme = reader.scheme(linear.name, ModuleKind::kLinear);
      if (!scheme || scheme->is_float()) continue;  // errors are the loader's, with all their misfits
      ++result.quantized;
      if (scheme->weight.bits == expected.weight.bits && scheme->activation.bits == expected.activation.bits)
        continue;
      if (scheme->weight.bits == expected.weight.bits && scheme->activation.bits == 16 &&
          expected.activation.bits == 8) {
        ++result.weight_only;
        continue;
      }
      if (++result.misfits <= kShownMisfits)
        result.shown.push_back(fmt::format("{} is {}", linear.name, scheme->name()));
    }
  }
  return result;
}

Result<std::unique_ptr<WeightReader>> apply_scheme(const NamedScheme& wanted,
                                                   std::unique_ptr<WeightReader> reader,
                                                   std::span<const PartLinear> linears) {
  const auto recipe = quant::find_recipe(wanted.recipe);
  CHECK(recipe.has_value(), "{}", wanted.recipe);
  const auto members = by_part(*recipe, linears);
  const Survey found = survey(*reader, *recipe, members);
  if (found.misfits > 0) {
    const size_t more = found.misfits - found.shown.size();
    return invalid_argument("--quantization {}: {}{}, expected {} of all quantized linears", wanted.option,
                            fmt::join(found.shown, ", "), more == 0 ? "" : fmt::format(" and {} more", more),
                            wanted.recipe);
  }
  if (found.weight_only > 0) {
    return std::unique_ptr<WeightReader>(
        std::make_unique<QuantizingReader>(std::move(reader), *recipe, std::vector<LinearScheme>()));
  }
  if (found.quantized > 0) return reader;
  std::vector<LinearScheme> schemes;
  for (size_t part = 0; part < members.size(); ++part) {
    const auto group_size = quant::choose_group_size(recipe->parts[part], {}, members[part]);
    if (!group_size) {
      return invalid_argument(
          "--quantization {}: {}, expected a checkpoint made by tessera quantize --group-size channel",
          wanted.option, group_size.error().message());
    }
    schemes.push_back(recipe->parts[part].scheme(*group_size));
  }
  return std::unique_ptr<WeightReader>(
      std::make_unique<QuantizingReader>(std::move(reader), *recipe, std::move(schemes)));
}

}  // namespace

Result<std::unique_ptr<WeightReader>> apply_quantization(std::string_view wanted,
                                                         std::unique_ptr<WeightReader> reader,
                                                         std::span<const PartLinear> linears) {
  if (wanted.empty() || wanted == reader->format_name()) return reader;
  const auto* scheme = std::ranges::find(kSchemes, wanted, &NamedScheme::option);
  if (scheme != kSchemes.end()) return apply_scheme(*scheme, std::move(reader), linears);
  std::vector<std::string_view> names;
  for (const NamedScheme& known : kSchemes)
    names.push_back(known.option);
  for (const formats::WeightFormat* format : formats::weight_formats())
    names.push_back(format->name);
  if (std::ranges::find(names, wanted) != names.end()) {
    return invalid_argument("--quantization {}: the checkpoint's format is {}", wanted,
                            reader->format_name());
  }
  return invalid_argument("--quantization {:.60}: expected one of {}", wanted, fmt::join(names, ", "));
}

}  // namespace tessera::models
