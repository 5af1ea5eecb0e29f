#include "compress/recipe.h"

#include <algorithm>
#include <array>
#include <map>

namespace tessera::compress {
namespace {

using formats::compressed_tensors::Group;
using formats::compressed_tensors::QuantArgs;

constexpr std::array<int, 3> kGroupSizes = {128, 64, 32};

const std::vector<std::string_view> kAllLeaves = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                  "gate_proj", "up_proj", "down_proj"};

/// The same scheme for every linear: one class target.
RecipePart everything(int weight_bits, int activation_bits, bool grouped, Storage storage) {
  return {kAllLeaves, {"Linear"}, weight_bits, activation_bits, grouped, storage};
}

/// q/k/v, gate/up at W4A4; o_proj and down_proj, whose inputs have the outliers, at W8A8. Targets are
/// disjoint regexes that end in $, so that no reader's order of precedence matters.
std::vector<RecipePart> mixed() {
  return {{{"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"},
           {R"(re:.*\.(q|k|v)_proj$)", R"(re:.*\.(gate|up)_proj$)"},
           4,
           4,
           false,
           Storage::kPacked},
          {{"o_proj", "down_proj"},
           {R"(re:.*\.o_proj$)", R"(re:.*\.down_proj$)"},
           8,
           8,
           false,
           Storage::kInteger}};
}

// 4-bit weights are packed: half the bytes of int-quantized, which stores a code per byte. 8-bit ones with
// quantized inputs are int-quantized, the form that every engine reads; without, pack-quantized is the only
// form there is.
std::vector<Recipe> all_recipes() {
  return {{"w8a8", {everything(8, 8, false, Storage::kInteger)}},
          {"w4a8", {everything(4, 8, true, Storage::kPacked)}},
          {"w4a4", {everything(4, 4, false, Storage::kPacked)}},
          {"w8a16", {everything(8, 16, true, Storage::kPacked)}},
          {"w4a16", {everything(4, 16, true, Storage::kPacked)}},
          {"w4a4-w8a8", mixed()}};
}

/// "down_proj (172 columns), o_proj (80 columns)" of those whose width is not a multiple of `size`; empty if
/// none.
std::string widths_not_divided(std::span<const PartLinear> linears, int size) {
  std::map<std::pair<std::string, int64_t>, bool> odd;  // experts repeat a width thousands of times
  for (const PartLinear& linear : linears) {
    if (linear.in % size != 0) odd[{linear.name.substr(linear.name.rfind('.') + 1), linear.in}] = true;
  }
  std::vector<std::string> texts;
  for (const auto& [key, unused] : odd)
    texts.push_back(fmt::format("{} ({} columns)", key.first, key.second));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

std::optional<size_t> Recipe::part_of(std::string_view leaf) const {
  for (size_t part = 0; part < parts.size(); ++part) {
    if (std::ranges::find(parts[part].leaves, leaf) != parts[part].leaves.end()) return part;
  }
  return std::nullopt;
}

Result<Recipe> find_recipe(std::string_view scheme) {
  const auto recipes = all_recipes();
  const auto found = std::ranges::find(recipes, scheme, &Recipe::name);
  if (found != recipes.end()) return *found;
  std::vector<std::string_view> names;
  for (const Recipe& recipe : recipes)
    names.push_back(recipe.name);
  return invalid_argument("--scheme={}, expected one of {}", scheme, fmt::join(names, ", "));
}

Result<int> parse_group_size(std::string_view text) {
  if (text == "channel") return 0;
  for (const int size : kGroupSizes) {
    if (text == std::to_string(size)) return size;
  }
  return invalid_argument("--group-size={}, expected 32, 64, 128 or channel", text);
}

Result<Storage> parse_storage(std::string_view text) {
  if (text == "int") return Storage::kInteger;
  if (text == "pack") return Storage::kPacked;
  return invalid_argument("--storage={}, expected int or pack", text);
}

Result<int> choose_group_size(const RecipePart& part, GroupSizeOption option,
                              std::span<const PartLinear> linears) {
  const int wanted = option.value_or(part.grouped ? kGroupSizes.front() : 0);
  if (wanted == 0) return 0;
  for (const int size : kGroupSizes) {
    if (option ? size != wanted : false) continue;
    if (widths_not_divided(linears, size).empty()) return size;
  }
  const int smallest = option ? wanted : kGroupSizes.back();
  return invalid_argument(
      "group size {} does not divide the inputs of {}; expected another --group-size, \"channel\", or "
      "--ignore",
      smallest, widths_not_divided(linears, smallest));
}

Group config_group(const RecipePart& part, int group_size, size_t index) {
  Group group;
  group.name = fmt::format("group_{}", index);
  group.targets = part.targets;
  group.format = formats::compressed_tensors::storage_format(part.storage);
  group.weights = QuantArgs{.num_bits = part.weight_bits, .strategy = group_size == 0 ? "channel" : "group"};
  if (group_size != 0) group.weights->group_size = group_size;
  if (part.activation_bits != 16) {
    group.input_activations =
        QuantArgs{.num_bits = part.activation_bits, .strategy = "token", .dynamic = "true"};
  }
  return group;
}

}  // namespace tessera::compress
