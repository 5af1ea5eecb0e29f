#include "kernels/quantize_rows/code_range.h"

#include "base/check.h"

namespace tessera::kernels {

CodeRange code_range(const quant::ActivationScheme& scheme) {
  CHECK(scheme.bits == 4 || scheme.bits == 8, "activation bits {}", scheme.bits);
  const int32_t top = scheme.bits == 4 ? 7 : 127;
  const auto divisor = static_cast<float>(top);
  if (scheme.is_static) return {divisor, divisor, -top - 1, top};
  if (scheme.clip_ratio != 1) {
    // npu_kronecker_quant: absmax / (7 / clip_ratio), and the cast to 4 bits saturates at both of its ends.
    const float clipped = divisor / scheme.clip_ratio;
    return {clipped, clipped, -top - 1, top};
  }
  if (scheme.rule == quant::ActivationRule::kAbsmax) return {divisor, divisor, -top, top};
  // 7.49 and 8.49: just inside the halves at which the outermost code would round over the range.
  return {divisor + 0.49F, divisor + 1.49F, -top - 1, top};
}

}  // namespace tessera::kernels
