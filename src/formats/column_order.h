// Groups of columns that lie apart: formats with act-order store for each input column the group whose scale
// it has. Kernels want the columns of a group side by side, so the codes are put into that order and the
// input with them (quant::ColumnOrder). Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::formats {

/// Columns by their group, those of a group in the file's order; empty when they are so already. kDataCorrupt
/// naming `name` when an index is none of `groups`, or groups are not all of the same size.
Result<std::vector<int32_t>> column_order(std::string_view name, std::span<const int32_t> group_of,
                                          int64_t groups);

/// Column k of each row [order.size()] of `codes` becomes the one that was at order[k].
void reorder_columns(std::span<int8_t> codes, std::span<const int32_t> order);

}  // namespace tessera::formats
