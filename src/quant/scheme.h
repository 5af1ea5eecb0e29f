// What a scheme *is*: facts, not an identity. A Linear's scheme says how its weights are stored and how its
// input is quantized; a checkpoint is a map from linear to scheme, so mixed precision is the normal case.
// Nothing anywhere switches on a scheme's name: names are only printed and parsed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::quant {

/// How an activation row becomes integer codes: s = absmax / divisor, q = clamp(round_half_even(x / s), min,
/// max). The divisor belongs to the format, never to a guess (docs/numerics.md).
enum class ActivationRule : uint8_t {
  kAbsmax,  // absmax/127 (int8) or absmax/7 (int4), codes within +-127 or +-7: ModelSlim, the NPU operators,
            // vLLM's int8
  kTwoSided,  // s = max(max/7.49, -min/8.49) (int4), max(max/127.49, -min/128.49) (int8): all 16 or 256 codes
              // are used
};

struct WeightScheme {
  int bits = 16;       // 4, 8: integer codes; 16: bf16 or f16; 32: f32
  int group_size = 0;  // columns that share a scale; 0 = one scale per output channel
  bool symmetric = true;
  bool operator==(const WeightScheme&) const = default;
};

struct ActivationScheme {
  int bits = 16;  // 4, 8: integer codes; 16: not quantized
  ActivationRule rule = ActivationRule::kAbsmax;
  int group_size = 0;      // columns of a token that share a dynamic scale; 0 = all of them
  bool is_static = false;  // one scale of the whole tensor, from the checkpoint
  float clip_ratio = 1;    // a dynamic scale is this part of the rule's; what lies beyond is clamped
  bool operator==(const ActivationScheme&) const = default;
};

/// The checkpoint's numbers for a static scheme: q = clamp(round_half_even(x / scale + zero_point)),
/// of all codes, and x is taken for (q - zero_point) * scale.
struct StaticScale {
  float scale = 0;
  int zero_point = 0;
  bool operator==(const StaticScale&) const = default;
};

struct LinearScheme {
  WeightScheme weight;
  ActivationScheme activation;
  bool transformed =
      false;  // the input goes through LinearData::transform first, or the output through its own
  bool operator==(const LinearScheme&) const = default;

  bool is_float() const { return weight.bits >= 16; }
  /// "w4a4", "w8a8", "w4a16", "w4a8-g128", "w4a4-g128-asym-xg64", "w8a8-static", "w4a4-transformed", "bf16",
  /// "f32".
  std::string name() const;
};

}  // namespace tessera::quant
