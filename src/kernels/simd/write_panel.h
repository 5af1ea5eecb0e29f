// How every GEMM writes 16 outputs of a row, over whichever vec16_*.h was included before: bias, then
// accumulation.
#pragma once

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// y[0..n) = value + bias, or y + (value + bias); n >= 1, only the first 16 count. `bias` may be null.
inline void write_panel(Vec value, const float* bias, bool accumulate, float* y, int64_t n) {
  if (n >= kLanes) {
    if (bias != nullptr) value = add(value, load(bias));
    if (accumulate) value = add(load(y), value);
    store(y, value);
  } else {
    if (bias != nullptr) value = add(value, load_n(bias, n));
    if (accumulate) value = add(load_n(y, n), value);
    store_n(y, value, n);
  }
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
