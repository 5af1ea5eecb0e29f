// How the parts of a quant::Recipe are stored in a compressed-tensors checkpoint, and the output head, which
// is a part of its own. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/writer.h"
#include "quant/recipe.h"

namespace tessera::compress {

using formats::compressed_tensors::Storage;
using quant::GroupSizeOption;

/// --scheme: kInvalidArgument listing the names otherwise.
Result<quant::Recipe> parse_scheme(std::string_view text);

/// --group-size: "channel" or a number that we have kernels for.
Result<int> parse_group_size(std::string_view text);

/// --storage: "int" or "pack".
Result<Storage> parse_storage(std::string_view text);

/// --lm-head: "none", "w8a8" or "w4a8". The head is quantized per channel; nullopt = it stays float.
Result<std::optional<quant::RecipePart>> parse_lm_head(std::string_view text);

/// How a part is stored when no --storage says so.
Storage default_storage(const quant::RecipePart& part);

/// Targets that name the linears of a part one by one: disjoint regexes that end in $, so that no reader's
/// order of precedence matters.
std::vector<std::string> leaf_targets(const quant::RecipePart& part);

/// The part as a config group, with a format of its own as the library writes it.
formats::compressed_tensors::Group config_group(const quant::RecipePart& part, int group_size,
                                                Storage storage, size_t index,
                                                std::vector<std::string> targets);

}  // namespace tessera::compress
