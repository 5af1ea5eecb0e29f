#include "formats/compressed_tensors/transform_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "tensor/float_convert.h"

namespace tessera::formats::compressed_tensors {
namespace {

/// The numbers of a square matrix of floats, read where they lie: of 12288 columns in F64 there are 1.2 GB.
class Numbers {
 public:
  explicit Numbers(const Tensor& stored)
      : dtype_(stored.dtype()), data_(stored.data()), size_(stored.shape()[0]) {}

  int64_t size() const { return size_; }
  double at(int64_t row, int64_t column) const {
    const auto index = static_cast<size_t>(row * size_ + column);
    switch (dtype_) {
      case DType::kF64:
        return reinterpret_cast<const double*>(data_)[index];
      case DType::kF32:
        return reinterpret_cast<const float*>(data_)[index];
      case DType::kF16:
        return f16_to_f32(reinterpret_cast<const uint16_t*>(data_)[index]);
      default:
        return bf16_to_f32(reinterpret_cast<const uint16_t*>(data_)[index]);
    }
  }

 private:
  DType dtype_;
  const std::byte* data_;
  int64_t size_;
};

struct SignedHadamard {
  quant::BlockHadamard hadamard;
  std::vector<float> factors;
};

/// diag(factors) (B (x) Sylvester) with a B of that order, whose first column tells the factors of the rows.
SignedHadamard parts_of(const Numbers& matrix, int64_t base) {
  const int64_t n = matrix.size(), run = n / base;
  SignedHadamard parts{{.size = n, .base = base}, std::vector<float>(static_cast<size_t>(n))};
  for (int64_t b = 0; b < base && base > 1; ++b) {
    for (int64_t d = 0; d < base; ++d)
      parts.hadamard.signs.push_back(static_cast<float>(matrix.at(b * run, d * run)));
  }
  for (int64_t row = 0; row < n; ++row) {
    const double sign = base == 1 ? 1 : matrix.at(row / run * run, 0);
    parts.factors[static_cast<size_t>(row)] = static_cast<float>(matrix.at(row, 0) * sign);
  }
  return parts;
}

bool is_product_of(const SignedHadamard& parts, const Numbers& matrix) {
  const int64_t n = matrix.size(), base = parts.hadamard.base, run = n / base;
  for (int64_t row = 0; row < n; ++row) {
    const float factor = parts.factors[static_cast<size_t>(row)];
    if (factor != 1 && factor != -1) return false;
    for (int64_t column = 0; column < n; ++column) {
      const float b =
          base == 1 ? 1 : parts.hadamard.signs[static_cast<size_t>(row / run * base + column / run)];
      const bool odd = std::popcount(static_cast<uint64_t>(row % run & column % run)) % 2 != 0;
      if (matrix.at(row, column) != (odd ? -factor * b : factor * b)) return false;
    }
  }
  return std::ranges::all_of(parts.hadamard.signs, [](float sign) { return sign == 1 || sign == -1; });
}

/// The library builds its matrices from ones of up to 256 rows; the smallest B is the fastest.
std::optional<SignedHadamard> find_hadamard(const Numbers& matrix) {
  const int64_t odd = matrix.size() >> std::countr_zero(static_cast<uint64_t>(matrix.size()));
  for (int64_t base = odd; base <= std::min(matrix.size(), quant::kMaxHadamardBase); base *= 2) {
    if (base != 1 && base % 4 != 0) continue;
    SignedHadamard parts = parts_of(matrix, base);
    if (is_product_of(parts, matrix)) return parts;
  }
  return std::nullopt;
}

}  // namespace

Result<TransformMatrix> TransformMatrix::make(const Tensor& stored, bool is_hadamard, bool transposed) {
  const Numbers numbers(stored);
  TransformMatrix matrix;
  if (auto parts = is_hadamard ? find_hadamard(numbers) : std::nullopt) {
    matrix.hadamard_ = std::move(parts->hadamard);
    matrix.hadamard_.transposed = transposed;
    if (std::ranges::count(parts->factors, -1.0F) > 0) matrix.factors_ = std::move(parts->factors);
    return matrix;
  }
  const int64_t n = numbers.size();
  const double divisor = is_hadamard ? std::sqrt(static_cast<double>(n)) : 1;
  auto dense = std::make_shared<quant::SquareMatrix>();
  dense->size = n;
  dense->values.reserve(static_cast<size_t>(n * n));
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      const double number = transposed ? numbers.at(column, row) : numbers.at(row, column);
      if (!std::isfinite(number)) return data_corrupt("element [{}, {}] is {}", row, column, number);
      dense->values.push_back(static_cast<float>(number / divisor));
    }
  }
  matrix.dense_ = std::move(dense);
  return matrix;
}

quant::InputTransform TransformMatrix::steps(int64_t width) const {
  if (dense_ != nullptr) return {quant::BlockMatrix{dense_}};
  if (factors_.empty()) return {hadamard_};
  quant::ColumnFactors all;
  for (int64_t begin = 0; begin < width; begin += hadamard_.size)
    all.factors.insert(all.factors.end(), factors_.begin(), factors_.end());
  if (hadamard_.transposed) return {hadamard_, std::move(all)};
  return {std::move(all), hadamard_};
}

}  // namespace tessera::formats::compressed_tensors
