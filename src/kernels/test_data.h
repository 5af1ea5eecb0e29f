// Reproducible operands for the kernels' tests. Not part of the library.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace tessera::kernels::testing {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }

  std::vector<float> floats(int64_t count, float scale = 1.0F) {
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values)
      value = normal(engine_);
    return values;
  }
  std::vector<int8_t> codes(int64_t count, int bits) {
    const int top = 1 << (bits - 1);
    std::vector<int8_t> values(static_cast<size_t>(count));
    for (int8_t& value : values)
      value = static_cast<int8_t>(integer(-top, top - 1));
    return values;
  }

 private:
  std::mt19937 engine_;
};

/// Equal as bits: also -0 against +0 and NaN against NaN of the same payload.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace tessera::kernels::testing
