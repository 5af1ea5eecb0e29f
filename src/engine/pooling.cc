#include "engine/pooling.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tessera::engine {

Result<Pooling> parse_pooling(std::string_view name) {
  if (name == "last") return Pooling::kLast;
  if (name == "mean") return Pooling::kMean;
  return invalid_argument("pooling {} does not exist, expected last or mean", name);
}

Status PooledRows::add(std::span<const float> rows, size_t width) {
  sums_.resize(width);
  for (; !rows.empty(); rows = rows.subspan(width), ++rows_) {
    for (size_t at = 0; at < width; ++at)
      sums_[at] += static_cast<double>(rows[at]);
  }
  // What is not finite in a row stays so in its sum.
  const auto wrong = std::ranges::find_if_not(sums_, [](double sum) { return std::isfinite(sum); });
  if (wrong == sums_.end()) return {};
  return internal_error("number {} of the model's hidden states is {}, expected a finite one",
                        wrong - sums_.begin(), *wrong);
}

std::vector<float> PooledRows::mean() const {
  CHECK(rows_ > 0, "no rows");
  std::vector<float> mean;
  for (const double sum : sums_)
    mean.push_back(static_cast<float>(sum / static_cast<double>(rows_)));
  return mean;
}

}  // namespace tessera::engine
