// exp(x) for 16 floats, over whichever vec16_*.h was included before. Cephes' range reduction and polynomial
// with separate multiplications and additions, so that every instruction set gives the same bits. Relative
// error < 2^-23.4 (2^-23.52 measured on 20 million arguments) for x in [-87.33, 88]; arguments outside are
// clamped to that range; NaN gives exp(88).
#pragma once

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline Vec exp(Vec x) {
  // x = n ln 2 + r; ln 2 in two parts, the first with 10 bits, so that n times it is exact.
  // The bounds first: min and max give their second operand when it is NaN.
  x = max(set1(-87.33F), min(set1(88.0F), x));
  const Vec n = round_even(mul(x, set1(1.44269504088896341F)));
  const Vec r = sub(sub(x, mul(n, set1(0.693359375F))), mul(n, set1(-2.12194440e-4F)));
  Vec p = set1(1.9875691500e-4F);
  p = add(mul(p, r), set1(1.3981999507e-3F));
  p = add(mul(p, r), set1(8.3334519073e-3F));
  p = add(mul(p, r), set1(4.1665795894e-2F));
  p = add(mul(p, r), set1(1.6666665459e-1F));
  p = add(mul(p, r), set1(5.0000001201e-1F));
  p = add(add(mul(mul(p, r), r), r), set1(1.0F));
  return mul(p, exp2_integral(n));
}

/// exp(x) for x <= 0 (or above by a rounding error) with fused multiply-adds: faster, but the bits depend on
/// them. Below -87.33 it is 0; NaN
/// stays NaN. Relative error 2^-23.0, measured likewise.
inline Vec exp_nonpositive(Vec x) {
  const Vec lowest = set1(-87.33F);
  const Vec clamped = max(lowest, x);
  const Vec n = round_even(mul(clamped, set1(1.44269504088896341F)));
  const Vec r = fma(n, set1(2.12194440e-4F), fma(n, set1(-0.693359375F), clamped));
  Vec p = set1(1.9875691500e-4F);
  p = fma(p, r, set1(1.3981999507e-3F));
  p = fma(p, r, set1(8.3334519073e-3F));
  p = fma(p, r, set1(4.1665795894e-2F));
  p = fma(p, r, set1(1.6666665459e-1F));
  p = fma(p, r, set1(5.0000001201e-1F));
  p = fma(mul(p, r), r, add(r, set1(1.0F)));
  return zero_if_lt(mul(p, exp2_integral(n)), x, lowest);
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
