#include "quant/recipe.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace tessera::quant {
namespace {

constexpr std::array<int, 3> kGroupSizes = {128, 64, 32};

const std::vector<std::string_view> kAllLeaves = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                  "gate_proj", "up_proj", "down_proj"};

RecipePart everything(int weight_bits, int activation_bits, bool grouped) {
  return {kAllLeaves, weight_bits, activation_bits, grouped};
}

/// q/k/v, gate/up at W4A4; o_proj and down_proj, whose inputs have the outliers, at W8A8.
std::vector<RecipePart> mixed() {
  return {{{"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}, 4, 4, false},
          {{"o_proj", "down_proj"}, 8, 8, false}};
}

std::vector<Recipe> all_recipes() {
  return {{"w8a8", {everything(8, 8, false)}},  {"w4a8", {everything(4, 8, true)}},
          {"w4a4", {everything(4, 4, false)}},  {"w8a16", {everything(8, 16, true)}},
          {"w4a16", {everything(4, 16, true)}}, {"w4a4-w8a8", mixed()}};
}

/// "down_proj (172 columns), o_proj (80 columns)" of those whose width is not a multiple of `size`; empty if
/// none.
std::string widths_not_divided(std::span<const PartLinear> linears, int size) {
  std::set<std::pair<std::string, int64_t>> odd;  // experts repeat a width thousands of times
  for (const PartLinear& linear : linears) {
    if (linear.in % size != 0) odd.emplace(linear.name.substr(linear.name.rfind('.') + 1), linear.in);
  }
  std::vector<std::string> texts;
  for (const auto& [leaf, columns] : odd)
    texts.push_back(fmt::format("{} ({} columns)", leaf, columns));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

LinearScheme RecipePart::scheme(int group_size) const {
  LinearScheme scheme;
  scheme.weight = {.bits = weight_bits, .group_size = group_size};
  scheme.activation.bits = activation_bits;
  if (activation_bits == 4) scheme.activation.rule = ActivationRule::kTwoSided;
  return scheme;
}

std::optional<size_t> Recipe::part_of(std::string_view path) const {
  if (path.find("layers.") == std::string_view::npos) return std::nullopt;
  const std::string_view leaf = path.substr(path.rfind('.') + 1);
  for (size_t part = 0; part < parts.size(); ++part) {
    if (std::ranges::find(parts[part].leaves, leaf) != parts[part].leaves.end()) return part;
  }
  return std::nullopt;
}

std::optional<Recipe> find_recipe(std::string_view name) {
  const auto recipes = all_recipes();
  const auto found = std::ranges::find(recipes, name, &Recipe::name);
  if (found == recipes.end()) return std::nullopt;
  return *found;
}

std::vector<std::string_view> recipe_names() {
  std::vector<std::string_view> names;
  for (const Recipe& recipe : all_recipes())
    names.push_back(recipe.name);
  return names;
}

Result<int> choose_group_size(const RecipePart& part, GroupSizeOption option,
                              std::span<const PartLinear> linears) {
  const int wanted = option.value_or(part.grouped ? kGroupSizes.front() : 0);
  if (wanted == 0) return 0;
  for (const int size : kGroupSizes) {
    if (option && size != wanted) continue;
    if (widths_not_divided(linears, size).empty()) return size;
  }
  const int smallest = option ? wanted : kGroupSizes.back();
  return invalid_argument("group size {} does not divide the inputs of {}", smallest,
                          widths_not_divided(linears, smallest));
}

}  // namespace tessera::quant
