#include "bench/sample.h"

#include <algorithm>
#include <cmath>

namespace tessera::bench {

double Sample::spread() const {
  const double middle = median();
  return middle == 0 ? 0 : (high() - low()) / 2 / middle;
}

double Sample::quantile(double share) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::ranges::sort(sorted);
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

}  // namespace tessera::bench
