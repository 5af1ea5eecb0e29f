// The body of rmsnorm for whichever vec16_*.h was included before.
#pragma once

#include "kernels/rmsnorm/rmsnorm.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// 1 / sqrt(sum / cols + eps) of the squares gathered in 16 lanes. Division and root are exactly rounded
/// everywhere.
inline float inverse_rms(Vec squares, int64_t cols, float eps) {
  const float mean = reduce_add(squares) / static_cast<float>(cols);
  return 1.0F / __builtin_sqrtf(mean + eps);
}

inline void scale_row(const float* x, const float* w, float inverse, float* y, int64_t cols) {
  const Vec factor = set1(inverse);
  int64_t col = 0;
  for (; col + kLanes <= cols; col += kLanes)
    store(y + col, mul(mul(load(x + col), factor), load(w + col)));
  const int64_t rest = cols - col;
  if (rest > 0) store_n(y + col, mul(mul(load_n(x + col, rest), factor), load_n(w + col, rest)), rest);
}

inline Vec squares_of(const float* x, int64_t cols) {
  Vec sum = zero();
  int64_t col = 0;
  for (; col + kLanes <= cols; col += kLanes) {
    const Vec v = load(x + col);
    sum = add(sum, mul(v, v));
  }
  if (col < cols) {
    const Vec v = load_n(x + col, cols - col);
    sum = add(sum, mul(v, v));
  }
  return sum;
}

/// h += delta; the squares of the new h.
inline Vec add_and_square(float* h, const float* delta, int64_t cols) {
  Vec sum = zero();
  int64_t col = 0;
  for (; col + kLanes <= cols; col += kLanes) {
    const Vec v = add(load(h + col), load(delta + col));
    store(h + col, v);
    sum = add(sum, mul(v, v));
  }
  const int64_t rest = cols - col;
  if (rest > 0) {
    const Vec v = add(load_n(h + col, rest), load_n(delta + col, rest));
    store_n(h + col, v, rest);
    sum = add(sum, mul(v, v));
  }
  return sum;
}

}  // namespace

void rmsnorm(const RmsNormArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.x_stride;
    const float inverse = inverse_rms(squares_of(x, args.cols), args.cols, args.eps);
    scale_row(x, args.w, inverse, args.y + row * args.y_stride, args.cols);
  }
}

void add_rmsnorm(const AddRmsNormArgs& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    float* h = args.h + row * args.h_stride;
    const Vec squares = add_and_square(h, args.delta + row * args.delta_stride, args.cols);
    scale_row(h, args.w, inverse_rms(squares, args.cols, args.eps), args.y + row * args.y_stride, args.cols);
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
