// Integer codes of weights: the exact arithmetic of the compressed-tensors library (symmetric, float32).
//
//   s = absmax / ((qmax - qmin) / 2), that is absmax/7.5 (int4) or absmax/127.5 (int8), per channel or per
//   group; s is rounded to the dtype it is stored in *before* it is used; s = 0 becomes that dtype's epsilon;
//   q = round_half_even(clamp(x / s, qmin, qmax));   x^ = q * s
//
// The library computes in the weight's own dtype, so for BF16 weights its codes differ from these in about 5
// % of int8 values; for F32 weights they are equal to the bit. Weight scales of a file are never recomputed.
// Thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace tessera::quant {

/// Codes of `bits` bits: [-2^(bits-1), 2^(bits-1) - 1].
constexpr int code_min(int bits) {
  return -(1 << (bits - 1));
}
constexpr int code_max(int bits) {
  return (1 << (bits - 1)) - 1;
}

/// `value` as F32, F16 or BF16 stores it, widened again. Other dtypes are our bug.
float round_to_dtype(float value, DType dtype);

/// torch.finfo(dtype).eps, the scale of an all-zero group: 2^-23 (F32), 2^-10 (F16), 2^-7 (BF16).
float zero_scale(DType dtype);

/// The symmetric scale of values with largest magnitude `absmax`. Finite and > 0 if absmax is finite.
float symmetric_scale(float absmax, int bits, DType scale_dtype);

/// What becomes of values far from the others.
enum class Clip : uint8_t {
  kNone,         // the scale reaches the largest: what the library does
  kLeastSquares  // the scale, down to half of that, which leaves the least sum of squared errors
};

/// The scale of `values` by `clip`, as `scale_dtype` stores it. NaN and infinities give an undefined one.
float choose_scale(std::span<const float> values, int bits, DType scale_dtype, Clip clip);

/// Encodes `row` [K] into `codes` [K] and `scales` [K / group_size] (group_size 0: one scale). False, and
/// unspecified outputs, if the row holds a NaN or an infinity. K must be a multiple of group_size; bits 2..8.
[[nodiscard]] bool encode_row(std::span<const float> row, int bits, int group_size, DType scale_dtype,
                              std::span<float> scales, std::span<int8_t> codes, Clip clip = Clip::kNone);

/// row[k] = codes[k] * scales[k / group_size]; with `zero_points` (as many as scales) (codes[k] - zero) *
/// scale.
void decode_row(std::span<const int8_t> codes, std::span<const float> scales,
                std::span<const int8_t> zero_points, int group_size, std::span<float> row);

/// Widens `count` elements of F32, F16 or BF16 at `data` exactly. Other dtypes are our bug.
void widen(DType dtype, const std::byte* data, std::span<float> out);

/// Narrows to F32, F16 or BF16, half to even; `out` holds in.size() elements of dtype.
void narrow(std::span<const float> in, DType dtype, std::byte* out);

}  // namespace tessera::quant
