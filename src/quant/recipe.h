// Recipes: what a scheme's name means for a whole decoder. A recipe is a list of parts; a part says which
// linears it quantizes, by the last word of their path, and to what. The parts of a recipe are disjoint and
// never split q/k/v or gate/up, which every engine fuses. `quantize --scheme` and `--quantization` share
// them, so that both make the same weights. Tables of constants and pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quant/scheme.h"

namespace tessera::quant {

/// Columns that share a scale: absent = the scheme's default; 0 = per output channel; 32, 64, 128.
using GroupSizeOption = std::optional<int>;

struct RecipePart {
  std::vector<std::string_view> leaves;  // "q_proj", "down_proj", ...
  int weight_bits;                       // 4, 8
  int activation_bits;                   // 4, 8, 16 = not quantized
  bool grouped;  // by default, groups of 128, or of 64 or 32 where 128 does not divide

  /// Symmetric weights; the activation rule is that of compressed-tensors checkpoints (docs/numerics.md).
  LinearScheme scheme(int group_size) const;
};

struct Recipe {
  std::string_view name;
  std::vector<RecipePart> parts;

  /// Index of the part that quantizes the linear at this path; nullopt = none. Only linears of decoder layers
  /// are: q/k/v/o_proj and gate/up/down_proj, experts included.
  std::optional<size_t> part_of(std::string_view path) const;
};

/// w8a8, w4a8, w4a4, w8a16, w4a16 or w4a4-w8a8; nullopt for other names.
std::optional<Recipe> find_recipe(std::string_view name);
/// The names above.
std::vector<std::string_view> recipe_names();

/// A linear that a part quantizes: its path and input columns.
struct PartLinear {
  std::string name;
  int64_t in = 0;
};

/// The one group size (0 = per channel) for all linears of a part: the option's, else the largest of 128, 64,
/// 32 that divides every input width (one size per part keeps one config group per part), else per channel
/// where that is the default. kInvalidArgument lists every width that does not divide.
Result<int> choose_group_size(const RecipePart& part, GroupSizeOption option,
                              std::span<const PartLinear> linears);

}  // namespace tessera::quant
