// TensorView: dtype, shape and a pointer to dense row-major elements; copyable, owns nothing.
// Tensor: the owner; move-only, 64-byte aligned. Neither does arithmetic.
#pragma once

#include <span>

#include "base/buffer.h"
#include "base/check.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tessera {

struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;

  size_t bytes() const { return static_cast<size_t>(shape.numel()) * dtype_size(dtype); }
  template <class T>
  std::span<const T> as() const {
    CHECK(sizeof(T) == dtype_size(dtype), "element of {} read as {} bytes", dtype_name(dtype), sizeof(T));
    return {reinterpret_cast<const T*>(data), static_cast<size_t>(shape.numel())};
  }
};

class Tensor {
 public:
  Tensor() = default;
  /// Zeroed. Aborts when memory is refused: use allocate() for sizes that come from a file.
  Tensor(DType dtype, Shape shape) : Tensor(dtype, shape, AlignedBuffer(byte_count(dtype, shape))) {}
  static Result<Tensor> allocate(DType dtype, Shape shape);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  size_t bytes() const { return buffer_.size(); }
  std::byte* data() { return buffer_.data(); }
  const std::byte* data() const { return buffer_.data(); }
  std::span<std::byte> raw() { return {buffer_.data(), buffer_.size()}; }

  template <class T>
  std::span<T> as() {
    CHECK(sizeof(T) == dtype_size(dtype_), "element of {} written as {} bytes", dtype_name(dtype_),
          sizeof(T));
    return {reinterpret_cast<T*>(buffer_.data()), static_cast<size_t>(shape_.numel())};
  }
  template <class T>
  std::span<const T> as() const {
    return view().as<T>();
  }
  TensorView view() const { return {dtype_, shape_, buffer_.data()}; }

 private:
  Tensor(DType dtype, Shape shape, AlignedBuffer buffer)
      : dtype_(dtype), shape_(shape), buffer_(std::move(buffer)) {}
  static size_t byte_count(DType dtype, const Shape& shape) {
    return static_cast<size_t>(shape.numel()) * dtype_size(dtype);
  }
  DType dtype_ = DType::kF32;
  Shape shape_;
  AlignedBuffer buffer_;
};

}  // namespace tessera
