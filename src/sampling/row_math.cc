#include "sampling/row_math.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace tessera::sampling {
namespace {

using F4 = float __attribute__((vector_size(16)));
using I4 = int32_t __attribute__((vector_size(16)));
constexpr int kLanes = 4;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

F4 load(const float* from) {
  F4 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
void store(float* to, F4 value) {
  std::memcpy(to, &value, sizeof(value));
}

/// The last, incomplete vector of a row, filled up with `fill`.
F4 load_part(std::span<const float> from, float fill) {
  F4 out = F4{} + fill;
  std::memcpy(&out, from.data(), from.size_bytes());
  return out;
}

/// exp(x) for x <= 0: 2^n * p(r), the polynomial of Cephes' expf (Moshier).
F4 exp4(F4 x) {
  const F4 lowest = F4{} - 87.0F;
  const I4 alive = x >= lowest;
  x = alive ? x : lowest;
  const I4 n = __builtin_convertvector(x * 1.44269504088896341F - 0.5F, I4);  // truncates: nearest, as x <= 0
  const F4 whole = __builtin_convertvector(n, F4);
  const F4 r = x - whole * 0.693359375F + whole * 2.12194440e-4F;  // ln 2 in two parts
  F4 p = r * 1.9875691500E-4F + 1.3981999507E-3F;
  p = p * r + 8.3334519073E-3F;
  p = p * r + 4.1665795894E-2F;
  p = p * r + 1.6666665459E-1F;
  p = p * r + 5.0000001201E-1F;
  p = p * r * r + r + 1.0F;
  const I4 power = (n + 127) << 23;
  return reinterpret_cast<F4>(reinterpret_cast<I4>(p * reinterpret_cast<F4>(power)) & alive);
}

}  // namespace

RowMax row_max(std::span<const float> row) {
  constexpr int kChains = 4;  // one chain of maxima would wait 4 cycles for each vector
  F4 best[kChains];
  std::fill_n(best, kChains, F4{} - kInfinity);
  I4 nan{};
  size_t at = 0;
  for (; at + kLanes * kChains <= row.size(); at += kLanes * kChains) {
    for (int chain = 0; chain < kChains; ++chain) {
      const F4 x = load(&row[at + static_cast<size_t>(chain) * kLanes]);
      nan |= x != x;
      best[chain] = x > best[chain] ? x : best[chain];
    }
  }
  for (; at < row.size(); at += kLanes) {
    const F4 x = load_part(row.subspan(at, std::min<size_t>(kLanes, row.size() - at)), -kInfinity);
    nan |= x != x;
    best[0] = x > best[0] ? x : best[0];
  }
  RowMax out{-kInfinity, false};
  for (int lane = 0; lane < kLanes; ++lane) {
    out.has_nan |= nan[lane] != 0;
    for (const F4& chain : best)
      out.value = std::max(out.value, chain[lane]);
  }
  return out;
}

void exp_row(std::span<const float> logits, float max, float inverse_temperature, std::span<float> weights,
             std::span<double> block_sums) {
  DCHECK(weights.size() == logits.size() && block_sums.size() == (logits.size() + kBlock - 1) / kBlock);
  for (size_t block = 0; block < block_sums.size(); ++block) {
    const size_t end = std::min(logits.size(), (block + 1) * kBlock);
    F4 sum{};
    size_t at = block * kBlock;
    for (; at + kLanes <= end; at += kLanes) {
      const F4 w = exp4((load(&logits[at]) - max) * inverse_temperature);
      store(&weights[at], w);
      sum += w;
    }
    if (at < end) {
      const F4 w = exp4((load_part(logits.subspan(at, end - at), -kInfinity) - max) * inverse_temperature);
      std::memcpy(&weights[at], &w, (end - at) * sizeof(float));
      sum += w;
    }
    block_sums[block] = (static_cast<double>(sum[0]) + sum[1]) + (static_cast<double>(sum[2]) + sum[3]);
  }
}

}  // namespace tessera::sampling
