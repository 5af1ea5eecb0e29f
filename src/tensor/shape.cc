#include "tensor/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"

namespace tessera {

Shape::Shape(std::initializer_list<int64_t> dims) {
  CHECK(dims.size() <= kMaxRank, "rank={}", dims.size());
  std::copy(dims.begin(), dims.end(), dims_.begin());
  rank_ = static_cast<int>(dims.size());
}

Result<Shape> Shape::from(std::span<const int64_t> dims, std::string_view name) {
  if (dims.size() > kMaxRank) {
    return unsupported("{}: {} dimensions, expected at most {}", name, dims.size(), kMaxRank);
  }
  Shape shape;
  for (const int64_t dim : dims) {
    if (dim < 0) return data_corrupt("{}: shape has the negative dimension {}", name, dim);
    shape.dims_[static_cast<size_t>(shape.rank_++)] = dim;
  }
  return shape;
}

Result<int64_t> Shape::checked_numel() const {
  int64_t product = 1;
  for (const int64_t dim : dims()) {
    if (__builtin_mul_overflow(product, dim, &product)) {
      return data_corrupt("shape {} has more elements than 64 bits count", to_string());
    }
  }
  return product;
}

int64_t Shape::numel() const {
  const auto product = checked_numel();
  CHECK(product.has_value(), "shape {} overflows", to_string());
  return *product;
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dims(), other.dims());
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims(), ", "));
}

}  // namespace tessera
