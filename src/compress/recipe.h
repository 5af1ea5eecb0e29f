// Recipes: what `--scheme NAME` means. A recipe is a list of parts; a part names linears by the last word of
// their path, and gives their scheme. The parts of a recipe are disjoint and never split q/k/v or gate/up,
// which every engine fuses. Tables of constants and pure functions; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/writer.h"
#include "quant/scheme.h"

namespace tessera::compress {

using formats::compressed_tensors::Storage;

/// --group-size: absent = the scheme's default; 0 = "channel"; 32, 64, 128.
using GroupSizeOption = std::optional<int>;

/// "channel" or a number that we have kernels for.
Result<int> parse_group_size(std::string_view text);
/// "int" or "pack".
Result<Storage> parse_storage(std::string_view text);

struct RecipePart {
  std::vector<std::string_view> leaves;  // "q_proj", "down_proj", ...
  std::vector<std::string> targets;      // how quantization_config names them
  int weight_bits;                       // 4, 8
  int activation_bits;                   // 4, 8, 16 = not quantized
  bool grouped;  // by default, groups of 128, or of 64 or 32 where 128 does not divide
  Storage storage;
};

struct Recipe {
  std::string_view name;
  std::vector<RecipePart> parts;

  /// Index of the part that quantizes linears whose path ends in `leaf`; nullopt = none.
  std::optional<size_t> part_of(std::string_view leaf) const;
};

/// w8a8, w4a8, w4a4, w8a16, w4a16 or w4a4-w8a8; kInvalidArgument listing them otherwise.
Result<Recipe> find_recipe(std::string_view scheme);

/// A linear that a part quantizes: its path and input columns.
struct PartLinear {
  std::string name;
  int64_t in = 0;
};

/// The one group size (0 = per channel) for all linears of a part: the option's, else the largest of 128, 64,
/// 32 that divides every input width (one size per part keeps one config group per part), else per channel
/// where that is the default. An error lists every width that does not divide.
Result<int> choose_group_size(const RecipePart& part, GroupSizeOption option,
                              std::span<const PartLinear> linears);

/// The part as a config group: with per-group format, as the library writes it.
formats::compressed_tensors::Group config_group(const RecipePart& part, int group_size, size_t index);

}  // namespace tessera::compress
