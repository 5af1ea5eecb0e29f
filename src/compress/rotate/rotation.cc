#include "compress/rotate/rotation.h"

#include <cmath>
#include <random>

#include "base/check.h"
#include "kernels/hadamard/hadamard.h"

namespace tessera::compress {
namespace {

/// H = B (x) S, S Sylvester's matrix: butterflies within every run of n / base values.
void butterflies(std::span<double> x, size_t run) {
  for (size_t half = 1; half < run; half *= 2) {
    for (size_t begin = 0; begin < x.size(); begin += 2 * half) {
      double* const low = x.data() + begin;
      double* const high = low + half;
      for (size_t i = 0; i < half; ++i) {
        const double a = low[i], b = high[i];
        low[i] = a + b;
        high[i] = a - b;
      }
    }
  }
}

}  // namespace

Result<Rotation> Rotation::plain(int64_t size) {
  const int64_t base = kernels::hadamard_base(size);
  if (base == 0)
    return unsupported("rotation of {} values: no Hadamard matrix of that order is known here", size);
  Rotation rotation(size, base);
  if (base > 1) {
    rotation.base_signs_.resize(static_cast<size_t>(base * base));
    kernels::hadamard_signs(base, rotation.base_signs_.data());
  }
  rotation.signs_.assign(static_cast<size_t>(size), 1 / std::sqrt(static_cast<double>(size)));
  return rotation;
}

Result<Rotation> Rotation::random(int64_t size, uint64_t seed) {
  Rotation rotation = TRY(plain(size));
  std::mt19937_64 generator(seed);
  for (double& sign : rotation.signs_) {
    if ((generator() >> 63) != 0) sign = -sign;
  }
  return rotation;
}

void Rotation::apply(std::span<double> x, std::vector<double>& scratch) const {
  const auto size = static_cast<size_t>(size_);
  CHECK(x.size() % size == 0, "{} values in blocks of {}", x.size(), size);
  for (size_t begin = 0; begin < x.size(); begin += size)
    apply_block(x.subspan(begin, size), scratch);
}

void Rotation::apply_block(std::span<double> x, std::vector<double>& scratch) const {
  for (size_t i = 0; i < x.size(); ++i)
    x[i] *= signs_[i];
  const auto base = static_cast<size_t>(base_);
  const size_t run = x.size() / base;
  butterflies(x, run);
  if (base == 1) return;
  // y[d, c] = sum_b x[b, c] B[b, d]
  scratch.assign(x.begin(), x.end());
  std::fill(x.begin(), x.end(), 0.0);
  for (size_t b = 0; b < base; ++b) {
    for (size_t d = 0; d < base; ++d) {
      const double sign = static_cast<double>(base_signs_[b * base + d]);
      for (size_t c = 0; c < run; ++c)
        x[d * run + c] += sign * scratch[b * run + c];
    }
  }
}

}  // namespace tessera::compress
