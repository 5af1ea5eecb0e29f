// RMS norm per row: y = (x * (1 / sqrt(mean(x^2) + eps))) * w, and the same after a residual addition.
// float32; squares are summed in 16 fixed lanes, so a row gives the same bits on every instruction set and
// next to any neighbours. Relative error of y <= (cols/16 + 8) * 2^-24. NaN in a row stays in that row. Pure
// and thread-safe.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

struct RmsNormArgs {
  const float* x = nullptr;  // [rows, cols]
  int64_t x_stride = 0;      // elements
  const float* w = nullptr;  // [cols]
  float eps = 0;
  float* y = nullptr;  // [rows, cols]; may be x
  int64_t y_stride = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

void rmsnorm(const RmsNormArgs& args);

struct AddRmsNormArgs {
  float* h = nullptr;  // [rows, cols], the residual stream: h += delta
  int64_t h_stride = 0;
  const float* delta = nullptr;  // [rows, cols]
  int64_t delta_stride = 0;
  const float* w = nullptr;  // [cols]
  float eps = 0;
  float* y = nullptr;  // [rows, cols] = rmsnorm(h + delta); may be delta, not h
  int64_t y_stride = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

void add_rmsnorm(const AddRmsNormArgs& args);

/// Name of the instruction set of the variant that both call.
const char* rmsnorm_variant();

}  // namespace tessera::kernels
