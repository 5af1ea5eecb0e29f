#include "quant/integer_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/float_convert.h"

namespace tessera::quant {
namespace {

// Adding and subtracting 1.5 * 2^23 rounds |x| < 2^22 half to even and vectorises on SSE2, which nearbyintf
// does not: 8 times as fast here.
constexpr float kRoundingMagic = 12582912.0F;

float absmax_of(std::span<const float> values) {
  // Four lanes, so that the compiler needs no reassociation. NaN is caught by the caller.
  float lanes[4] = {0, 0, 0, 0};
  size_t k = 0;
  for (; k + 4 <= values.size(); k += 4) {
    for (size_t lane = 0; lane < 4; ++lane)
      lanes[lane] = std::max(lanes[lane], std::fabs(values[k + lane]));
  }
  for (; k < values.size(); ++k)
    lanes[0] = std::max(lanes[0], std::fabs(values[k]));
  return std::max(std::max(lanes[0], lanes[1]), std::max(lanes[2], lanes[3]));
}

bool all_finite(std::span<const float> values) {
  // x - x is 0 for finite x and NaN otherwise; the sum of zeros stays 0.
  float sum = 0;
  for (const float value : values)
    sum += value - value;
  return sum == 0;
}

void encode_group(std::span<const float> values, float scale, int bits, int8_t* codes) {
  const auto low = static_cast<float>(code_min(bits));
  const auto high = static_cast<float>(code_max(bits));
  const float* in = values.data();
  for (size_t k = 0; k < values.size(); ++k) {
    const float clamped = std::min(std::max(in[k] / scale, low), high);
    codes[k] = static_cast<int8_t>(static_cast<int>((clamped + kRoundingMagic) - kRoundingMagic));
  }
}

double squared_error(std::span<const float> values, float scale, int bits) {
  const auto low = static_cast<float>(code_min(bits));
  const auto high = static_cast<float>(code_max(bits));
  // Four lanes, as in absmax_of(). A float sum of a row's squares is good to some 1e-5, the minimum is
  // flatter than that.
  float lanes[4] = {0, 0, 0, 0};
  const size_t whole = values.size() / 4 * 4;
  const auto error = [&](float value) {
    const float code = (std::min(std::max(value / scale, low), high) + kRoundingMagic) - kRoundingMagic;
    return value - code * scale;
  };
  for (size_t k = 0; k < whole; k += 4) {
    for (size_t lane = 0; lane < 4; ++lane) {
      const float e = error(values[k + lane]);
      lanes[lane] += e * e;
    }
  }
  for (size_t k = whole; k < values.size(); ++k)
    lanes[0] += error(values[k]) * error(values[k]);
  return static_cast<double>(lanes[0] + lanes[1]) + static_cast<double>(lanes[2] + lanes[3]);
}

size_t group_length(size_t columns, int group_size) {
  return group_size == 0 ? columns : static_cast<size_t>(group_size);
}

}  // namespace

float round_to_dtype(float value, DType dtype) {
  if (dtype == DType::kBF16) return bf16_to_f32(f32_to_bf16(value));
  if (dtype == DType::kF16) return f16_to_f32(f32_to_f16(value));
  CHECK(dtype == DType::kF32, "scales of {}", dtype_name(dtype));
  return value;
}

float zero_scale(DType dtype) {
  if (dtype == DType::kBF16) return 0x1p-7F;
  if (dtype == DType::kF16) return 0x1p-10F;
  CHECK(dtype == DType::kF32, "scales of {}", dtype_name(dtype));
  return 0x1p-23F;
}

float symmetric_scale(float absmax, int bits, DType scale_dtype) {
  const float half_range = static_cast<float>(code_max(bits) - code_min(bits)) / 2.0F;
  const float scale = round_to_dtype(absmax / half_range, scale_dtype);
  return scale == 0 ? zero_scale(scale_dtype) : scale;
}

float choose_scale(std::span<const float> values, int bits, DType scale_dtype, Clip clip) {
  constexpr int kSteps = 40;  // of 1/80 of the whole
  const float absmax = absmax_of(values);
  float best = symmetric_scale(absmax, bits, scale_dtype);
  if (clip == Clip::kNone || absmax == 0) return best;
  double least = squared_error(values, best, bits);
  for (int step = 1; step <= kSteps; ++step) {
    const float scale = symmetric_scale(absmax * (1 - static_cast<float>(step) / 80), bits, scale_dtype);
    const double error = squared_error(values, scale, bits);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

bool encode_row(std::span<const float> row, int bits, int group_size, DType scale_dtype,
                std::span<float> scales, std::span<int8_t> codes, Clip clip) {
  const size_t length = group_length(row.size(), group_size);
  CHECK(scales.size() * length == row.size() && codes.size() == row.size(),
        "{} columns, {} codes, {} scales of {}", row.size(), codes.size(), scales.size(), length);
  if (!all_finite(row)) return false;
  for (size_t group = 0; group < scales.size(); ++group) {
    const auto values = row.subspan(group * length, length);
    scales[group] = choose_scale(values, bits, scale_dtype, clip);
    encode_group(values, scales[group], bits, codes.data() + group * length);
  }
  return true;
}

void decode_row(std::span<const int8_t> codes, std::span<const float> scales,
                std::span<const int8_t> zero_points, int group_size, std::span<float> row) {
  const size_t length = group_length(codes.size(), group_size);
  CHECK(scales.size() * length == codes.size() && row.size() == codes.size(), "{} codes, {} scales of {}",
        codes.size(), scales.size(), length);
  CHECK(zero_points.empty() || zero_points.size() == scales.size(), "{} zero points", zero_points.size());
  for (size_t group = 0; group < scales.size(); ++group) {
    const int zero = zero_points.empty() ? 0 : zero_points[group];
    const float scale = scales[group];
    for (size_t k = group * length; k < (group + 1) * length; ++k)
      row[k] = static_cast<float>(codes[k] - zero) * scale;
  }
}

void widen(DType dtype, const std::byte* data, std::span<float> out) {
  if (dtype == DType::kF32) {
    std::memcpy(out.data(), data, out.size_bytes());
    return;
  }
  CHECK(dtype == DType::kBF16 || dtype == DType::kF16, "widening {}", dtype_name(dtype));
  for (size_t k = 0; k < out.size(); ++k) {
    uint16_t bits = 0;
    std::memcpy(&bits, data + 2 * k, 2);
    out[k] = dtype == DType::kBF16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }
}

void narrow(std::span<const float> in, DType dtype, std::byte* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, in.data(), in.size_bytes());
    return;
  }
  CHECK(dtype == DType::kBF16 || dtype == DType::kF16, "narrowing to {}", dtype_name(dtype));
  for (size_t k = 0; k < in.size(); ++k) {
    const uint16_t bits = dtype == DType::kBF16 ? f32_to_bf16(in[k]) : f32_to_f16(in[k]);
    std::memcpy(out + 2 * k, &bits, 2);
  }
}

}  // namespace tessera::quant
