#include "compress/recipe.h"

#include <fmt/ranges.h>

#include <array>
#include <utility>

namespace tessera::compress {
namespace {

using formats::compressed_tensors::Group;
using formats::compressed_tensors::QuantArgs;

constexpr std::array<int, 3> kGroupSizes = {32, 64, 128};

}  // namespace

Result<quant::Recipe> parse_scheme(std::string_view text) {
  if (auto recipe = quant::find_recipe(text)) return *std::move(recipe);
  return invalid_argument("--scheme={}, expected one of {}", text, fmt::join(quant::recipe_names(), ", "));
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

Result<std::optional<quant::RecipePart>> parse_lm_head(std::string_view text) {
  const auto head = [](int bits) {
    return std::optional(quant::RecipePart{{"lm_head"}, bits, 8, /*grouped=*/false});
  };
  if (text == "none") return std::optional<quant::RecipePart>();
  if (text == "w8a8") return head(8);
  if (text == "w4a8") return head(4);
  return invalid_argument("--lm-head={}, expected none, w8a8 or w4a8", text);
}

// 4-bit weights are packed: half the bytes of int-quantized, which stores a code per byte. 8-bit ones with
// quantized inputs are int-quantized, the form that every engine reads; without, pack-quantized is the only
// form there is.
Storage default_storage(const quant::RecipePart& part) {
  return part.weight_bits == 8 && part.activation_bits != 16 ? Storage::kInteger : Storage::kPacked;
}

std::vector<std::string> leaf_targets(const quant::RecipePart& part) {
  std::vector<std::string> targets;
  for (const std::string_view leaf : part.leaves)
    targets.push_back(fmt::format(R"(re:.*\.{}$)", leaf));
  return targets;
}

Group config_group(const quant::RecipePart& part, int group_size, Storage storage, size_t index,
                   std::vector<std::string> targets) {
  Group group;
  group.name = fmt::format("group_{}", index);
  group.targets = std::move(targets);
  group.format = formats::compressed_tensors::storage_format(storage);
  group.weights = QuantArgs{.num_bits = part.weight_bits, .strategy = group_size == 0 ? "channel" : "group"};
  if (group_size != 0) group.weights->group_size = group_size;
  if (part.activation_bits != 16) {
    group.input_activations =
        QuantArgs{.num_bits = part.activation_bits, .strategy = "token", .dynamic = "true"};
  }
  return group;
}

}  // namespace tessera::compress
