#include "formats/column_order.h"

#include <algorithm>
#include <numeric>

namespace tessera::formats {

Result<std::vector<int32_t>> column_order(std::string_view name, std::span<const int32_t> group_of,
                                          int64_t groups) {
  const auto size = static_cast<int64_t>(group_of.size()) / groups;
  std::vector<int64_t> counts(static_cast<size_t>(groups));
  for (size_t k = 0; k < group_of.size(); ++k) {
    if (group_of[k] < 0 || group_of[k] >= groups)
      return data_corrupt("{}: element {} is {}, expected 0 to {}", name, k, group_of[k], groups - 1);
    ++counts[static_cast<size_t>(group_of[k])];
  }
  for (size_t group = 0; group < counts.size(); ++group) {
    if (counts[group] != size)
      return data_corrupt("{}: {} columns in group {}, expected {}", name, counts[group], group, size);
  }
  if (std::ranges::is_sorted(group_of)) return std::vector<int32_t>();
  std::vector<int32_t> order(group_of.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int32_t k) { return group_of[static_cast<size_t>(k)]; });
  return order;
}

void reorder_columns(std::span<int8_t> codes, std::span<const int32_t> order) {
  const size_t columns = order.size();
  std::vector<int8_t> row(columns);
  for (size_t first = 0; first < codes.size(); first += columns) {
    for (size_t k = 0; k < columns; ++k)
      row[k] = codes[first + static_cast<size_t>(order[k])];
    std::ranges::copy(row, codes.begin() + static_cast<ptrdiff_t>(first));
  }
}

}  // namespace tessera::formats
