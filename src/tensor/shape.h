// Shape: up to 8 dimensions, outermost first. A value, 72 bytes, no heap.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/result.h"

namespace tessera {

class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  /// An error when there are over 8 dimensions or a negative one; `name` is the tensor's, for the message.
  static Result<Shape> from(std::span<const int64_t> dims, std::string_view name);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }

  /// Product of the dimensions; 1 for rank 0. CHECKs that it fits: use checked_numel() for shapes from a
  /// file.
  int64_t numel() const;
  Result<int64_t> checked_numel() const;

  bool operator==(const Shape& other) const;
  /// "[576, 1536]"
  std::string to_string() const;

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace tessera
